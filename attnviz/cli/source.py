"""Where a capture comes from: the text, the model that reads it, or a file of an earlier run."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.cli.talk import Talk
from attnviz.errors import InputError, SelectionError, UsageError
from attnviz.models.find.samples import PREFIX

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture
    from attnviz.inputs.encode import ModelInputs
    from attnviz.inputs.text import Text
    from attnviz.models.load import LoadedModel
    from attnviz.runs.plan import Plan
    from attnviz.runs.request import RunRequest

    Foresee = Callable[[LoadedModel, ModelInputs, RunRequest], Plan]


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
            for one in read_texts(self.texts):
                yield replace(
                    one,
                    pair=one.pair or self.pair,
                    target=one.target or self.target,
                    source_lang=one.source_lang or self.source_lang,
                    target_lang=one.target_lang or self.target_lang,
                )
            return
        if self.file is not None:
            text = read_file(self.file)
        else:
            text = read_stdin() if self.text == "-" else str(self.text)
        yield Text(
            text,
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

    The texts of `also` follow those of the source. Those of a batch are filled up on the right,
    where no earlier token sees it; each capture is that of its text alone. What `foresee` (or the
    plan itself) refuses of any text is refused before the first is run.
    """
    if source.saved is not None:
        yield open_saved(source.saved, load.name or load.adapter)
        return
    if source.hint:
        talk.hint(source.hint)
    texts = [*source.read(), *(also.read() if also is not None else ())]
    loaded = load.load(talk)
    from attnviz.attention.unpadded import unpadded
    from attnviz.inputs.encode import encode_batch
    from attnviz.runs import run as runs

    prepared: list[tuple[list[ModelInputs], ModelInputs]] = []
    encoding: dict[str, Any] = {"bos": run.bos, "truncate": run.truncate}
    for batch in batches(texts, run.batch_size):
        alone = [encode_batch(loaded, [text], **encoding) for text in batch]
        inputs = alone[0]
        if len(batch) > 1:
            together = encode_batch(loaded, batch, side="right", **encoding)
            inputs = replace(together, notes=())
        for one in alone if len(batch) == 1 else (*alone, inputs):
            require_run(foresee, loaded, one, run)
        prepared.append((alone, inputs))
    done = 0
    for alone, inputs in prepared:
        done += len(alone)
        which = f"text {done:,} of {len(texts):,}, " if len(texts) > 1 else ""
        with talk.progress(f"run {which}{len(inputs.sources[0]):,} tokens"):
            found = runs.run(loaded, inputs, run)
        if len(alone) > 1:
            found = [
                replace(unpadded(capture), notes=(*own.notes, *capture.notes))
                for own, capture in zip(alone, found, strict=True)
            ]
        for capture in found:
            if broken := runs.broken_checks(capture.checks):
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
    from attnviz.runs.layers import told_layers

    for text in source.read():
        inputs = encode_batch(loaded, [text], bos=run.bos, truncate=run.truncate)
        if run.selection.counts_back and told_layers(loaded, inputs, run.selection) is None:
            loaded = load.load(talk)
        require_run(foresee, loaded, inputs, run)


def require_run(
    foresee: Foresee | None, loaded: LoadedModel, inputs: ModelInputs, run: RunRequest
) -> None:
    """Raise what the run would be refused for, with the place of the text."""
    from attnviz.runs.forecast import foreseen

    try:
        (foresee or foreseen)(loaded, inputs, run)
    except SelectionError as error:
        where = f"{inputs.texts[0].where}: " if inputs.texts[0].where else ""
        raise SelectionError(f"{where}{error.message}", error.hint) from error


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


def batches(texts: Sequence[Text], size: int) -> Iterator[list[Text]]:
    """Neighbours of one form, with a pair and a target or without, at most `size` together.

    Those of one batch are in the same languages.
    """

    def form(text: Text) -> tuple[object, ...]:
        return text.pair is None, text.target is None, text.source_lang, text.target_lang

    for _, group in groupby(texts, form):
        alike = [*group]
        for start in range(0, len(alike), size):
            yield alike[start : start + size]


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
