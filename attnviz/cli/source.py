"""Where a capture comes from: the text, the model that reads it, or a file of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.cli.talk import Talk
from attnviz.errors import InputError, UsageError
from attnviz.models.find.samples import PREFIX

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture
    from attnviz.inputs.encode import ModelInputs
    from attnviz.inputs.text import Text
    from attnviz.models.load import LoadedModel
    from attnviz.runs.batch import Foresee
    from attnviz.runs.plan import Plan
    from attnviz.runs.request import RunRequest


@dataclass(frozen=True)
class Source:
    """Where the text comes from: exactly one of its ways."""

    text: str | None
    file: Path | None
    texts: Path | None
    pair: str | None
    target: str | None
    source_lang: str | None = None
    target_lang: str | None = None

    def check(self) -> None:
        """Raise UsageError unless there is exactly one source."""
        given = [
            name
            for name, value in (("TEXT", self.text), ("--file", self.file), ("--texts", self.texts))
            if value is not None
        ]
        if len(given) != 1:
            said = " and ".join(given) + " exclude each other" if given else "no text was given"
            raise UsageError(said, 'give a "text" in quotes, or - for standard input')
        parts = (self.pair, self.target, self.source_lang, self.target_lang)
        if self.saved is not None and any(part is not None for part in parts):
            raise UsageError(
                "a saved capture has its text already", "leave --pair, --target and languages out"
            )
        if self.text == "":
            raise InputError("the text is empty", "give at least one character")

    @property
    def hint(self) -> str:
        """What to say when the text looks like the name of a file; else empty."""
        name = self.text or ""
        if name.startswith(PREFIX) or (len(name) < 256 and os.path.isfile(name)):  # noqa: PTH113
            return f"{name} is read as the text; to read the file: --file {name}"
        return ""

    @property
    def saved(self) -> str | None:
        """The path of a saved capture, when that is what the argument names."""
        return self.text if self.text and self.text.endswith(".safetensors") else None

    def read(self) -> Iterator[Text]:
        """Every text with its pair, target and languages."""
        from attnviz.inputs.read import read_file, read_stdin, read_texts
        from attnviz.inputs.text import Text

        if self.texts is not None:
            for text in read_texts(self.texts):
                yield replace(
                    text,
                    pair=text.pair or self.pair,
                    target=text.target or self.target,
                    source_lang=text.source_lang or self.source_lang,
                    target_lang=text.target_lang or self.target_lang,
                )
            return
        if self.file is not None:
            given = read_file(self.file)
        else:
            given = read_stdin() if self.text == "-" else str(self.text)
        yield Text(
            given,
            self.pair,
            self.target,
            source_lang=self.source_lang,
            target_lang=self.target_lang,
        )


@dataclass(frozen=True)
class LoadRequest:
    """Which model, and how to load it."""

    name: str | None
    device: str
    dtype: str
    revision: str | None
    trust_remote_code: bool
    offline: bool
    device_map: str | None = None
    quantize: str | None = None
    adapter: str | None = None
    anatomy: Mapping[str, Any] | None = None

    def load(self, talk: Talk, weights: bool = True) -> LoadedModel:
        """The loaded model, with progress and the hint about the default; or its outline alone."""
        from attnviz.models.find.resolve import resolve

        source = resolve(self.name)
        if self.name is None and source.kind == "sample" and weights:
            talk.hint(f"no model named: using {source.name} (choose one with -m MODEL)")
        with talk.progress(f"load {source.display}") as progress:
            from attnviz.models.load import load

            return load(
                self.name,
                device=self.device,
                dtype=self.dtype,
                revision=self.revision,
                trust_remote_code=self.trust_remote_code,
                offline=self.offline,
                progress=progress,
                device_map=self.device_map,
                quantize=self.quantize,
                adapter=self.adapter,
                anatomy=self.anatomy,
                weights=weights,
            )


def captures(
    source: Source,
    load: LoadRequest,
    run: RunRequest,
    talk: Talk,
    also: Source | None = None,
    foresee: Foresee | None = None,
) -> Iterator[Capture]:
    """The capture of every text, with the model loaded once; or the one that was saved.

    The texts of `also` follow those of the source. What `foresee` (or the plan itself) refuses of
    any text is refused before the first is run.
    """
    if source.saved is not None:
        yield open_saved(source.saved, load.name or load.adapter)
        return
    if source.hint:
        talk.hint(source.hint)
    texts = [*source.read(), *(also.read() if also is not None else ())]
    loaded = load.load(talk)
    from attnviz.runs.batch import prepare, run_batch
    from attnviz.runs.run import broken_checks

    with talk.progress("tokenize"):
        batches = prepare(loaded, texts, run, foresee)
    done = 0
    for batch in batches:
        done += len(batch)
        which = f"text {done:,} of {len(texts):,}, " if len(texts) > 1 else ""
        with talk.progress(f"run {which}{batch.tokens:,} tokens"):
            finished = run_batch(loaded, batch, run)
        for capture in finished:
            if broken := broken_checks(capture.checks):
                talk.hint(f"{capture.model.name} is not to be trusted: {broken}")
            yield capture


def require_runs(
    source: Source, load: LoadRequest, run: RunRequest, talk: Talk, foresee: Foresee
) -> None:
    """Raise what `captures` would refuse, from an outline of the model where that does.

    Layers that count from the end take the model itself where its config does not tell of them.
    """
    loaded = load.load(talk, weights=False)
    from attnviz.inputs.encode import encode_batch
    from attnviz.runs.batch import require_run
    from attnviz.runs.layers import told_layers

    for text in source.read():
        inputs = encode_batch(loaded, [text], bos=run.bos, truncate=run.truncate)
        if run.selection.counts_back and told_layers(loaded, inputs, run.selection) is None:
            loaded = load.load(talk)
        require_run(loaded, inputs, run, foresee)


def one_token_each(loaded: LoadedModel, inputs: ModelInputs, run: RunRequest) -> Plan:
    """The plan of a run. Raises SelectionError where `--query` or `--key` is a repeated word."""
    from attnviz.attention.tokens import require_one
    from attnviz.runs.forecast import foreseen
    from attnviz.runs.scope import shown_axes

    for axes in shown_axes(inputs, run.selection)[1]:
        for option, axis in zip(("query", "key"), axes, strict=True):
            if spec := getattr(run.selection, option):
                require_one(spec, axis, f"--{option}")
    return foreseen(loaded, inputs, run)


def probed(load: LoadRequest, run: RunRequest, talk: Talk) -> Iterator[Capture]:
    """The captures of repeated random tokens."""
    loaded = load.load(talk)
    from attnviz.runs.repeated_tokens import on_repeated_tokens

    with talk.progress("run repeated tokens"):
        yield from on_repeated_tokens(loaded, run)


def open_saved(path: str, model: str | None) -> Capture:
    """The saved capture at `path`."""
    from attnviz.attention.store.reader import open_capture

    if model is not None:
        raise UsageError("a saved capture needs no model", "leave -m and --adapter out")
    return open_capture(path)
