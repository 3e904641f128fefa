"""`attnviz models`: the bundled samples, and what is in the local cache."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from attnviz.cli import options as o
from attnviz.models.find.samples import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.models.find.cache import CachedModel
    from attnviz.models.find.samples import Sample


def models(json_: o.Json = False) -> None:
    """List the models and texts that need no download, with a command to try for each."""
    from attnviz.cli.output import print_line
    from attnviz.models.find.cache import cached_models
    from attnviz.models.find.samples import sample_inputs, sample_models

    bundled, inputs, cached = sample_models(), sample_inputs(), cached_models()
    if json_:
        found = {
            "models": [facts(one) for one in bundled],
            "inputs": [facts(one) for one in inputs],
            "cached": [asdict(one) for one in cached],
        }
        sys.stdout.write(json.dumps(found) + "\n")
        return
    lines = ["Bundled models", *described(bundled), "", "Bundled inputs", *described(inputs)]
    lines += ["", "In the local cache", *aligned([row(one) for one in cached])]
    if not cached:
        lines.append("  none yet: hf download MODEL, or any command with -m MODEL")
    print_line("\n".join(lines), sys.stdout)


def facts(one: Sample) -> dict[str, str]:
    """A sample as JSON."""
    return {
        "name": PREFIX + one.name,
        "description": one.description,
        "command": one.command,
        "path": str(one.path),
    }


def described(samples: list[Sample]) -> Iterator[str]:
    """A line per sample, and under it the command to try."""
    about = aligned([[PREFIX + one.name, one.description] for one in samples])
    for one, line in zip(samples, about, strict=True):
        yield line
        if one.command:
            yield f"      {one.command}"


def row(one: CachedModel) -> list[str]:
    """The name, class and size of a cached model, for people."""
    return [one.name, one.architecture or "-", f"{one.size / 1e6:.1f} MB"]


def aligned(rows: list[list[str]]) -> list[str]:
    """The rows as indented lines whose columns stand under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:<{n}}" for cell, n in zip(one, widths, strict=True)).rstrip()
        for one in rows
    ]
