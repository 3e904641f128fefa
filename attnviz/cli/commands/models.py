"""`attnviz models`: the bundled samples, and what is in the local cache."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from attnviz.cli.options.output import Saying
from attnviz.models.find.samples import PREFIX
from attnviz.views.answer import Answer
from attnviz.views.listing import Listing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.models.find.cache import CachedModel
    from attnviz.models.find.samples import Sample


def models(output: Saying) -> None:
    """List the models and texts that need no download, with a command to try for each."""
    from attnviz.models.find.cache import cached_models
    from attnviz.models.find.samples import sample_inputs, sample_models

    bundled, inputs, cached = sample_models(), sample_inputs(), cached_models()
    values = {
        "models": [facts(sample) for sample in bundled],
        "inputs": [facts(sample) for sample in inputs],
        "cached": [asdict(model) for model in cached],
    }
    lines = ["Bundled models", *described(bundled), "", "Bundled inputs", *described(inputs)]
    lines += ["", "In the local cache", *aligned([row(model) for model in cached])]
    if not cached:
        lines.append("  none yet: hf download MODEL, or any command with -m MODEL")
    output.sink().put(Answer(None, (Listing(tuple(lines), values),)))


def facts(sample: Sample) -> dict[str, str]:
    """A sample as JSON."""
    return {
        "name": PREFIX + sample.name,
        "description": sample.description,
        "command": sample.command,
        "path": str(sample.path),
    }


def described(samples: list[Sample]) -> Iterator[str]:
    """A line per sample, and under it the command to try."""
    about = aligned([[PREFIX + sample.name, sample.description] for sample in samples])
    for sample, line in zip(samples, about, strict=True):
        yield line
        if sample.command:
            yield f"      {sample.command}"


def row(model: CachedModel) -> list[str]:
    """The name, class and size of a cached model, for people."""
    return [model.name, model.architecture or "-", f"{model.size / 1e6:.1f} MB"]


def aligned(rows: list[list[str]]) -> list[str]:
    """The rows as indented lines whose columns stand under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:<{n}}" for cell, n in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
