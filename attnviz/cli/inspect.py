"""`attnviz inspect`: the first look at a text, or at part of its attention."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attnviz.cli import options as o
from attnviz.cli.output import Talk, writable, write_text
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.models.load import LoadedModel
    from attnviz.views.look import Look

ViewName = Literal["auto", "map", "table", "grid", "heads"]
SUFFIXES = (".txt", ".json", ".csv", ".tsv", ".safetensors")


def inspect(
    text: Annotated[
        str | None,
        typer.Argument(
            help="The text; - reads standard input; FILE.safetensors opens a saved capture.",
            show_default=False,
        ),
    ] = None,
    model: o.ModelName = None,
    pair: o.Pair = None,
    target: o.Target = None,
    file: o.File = None,
    texts: o.Texts = None,
    bos: o.Bos = None,
    truncate: o.Truncate = False,
    layer: o.Layer = None,
    head: o.Head = None,
    stack: o.Stack = None,
    query: o.Query = None,
    key: o.Key = None,
    view: o.View = "auto",
    words: o.Words = False,
    hide_special: o.HideSpecial = False,
    renormalize: o.Renormalize = False,
    scale: o.Scale = "linear",
    reduce: o.Reduce = "mean",
    top: o.Top = 3,
    json_: o.Json = False,
    format_: o.Format = "table",
    output: o.OutputFile = None,
    width: o.Width = None,
    color: o.Color = "auto",
    ascii_: o.Ascii = False,
    quiet: o.Quiet = False,
    revision: o.Revision = None,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    trust_remote_code: o.TrustRemoteCode = False,
    offline: o.Offline = False,
    memory: o.Memory = None,
) -> None:
    """Show what a model attends to in a text.

    Without a selection: the model and its prediction, what each head does, and the map of the
    head that looks most at particular words. With one: that head, layer or token.

    Examples:

      attnviz inspect "the film was not good at all"

      attnviz inspect "The cat sat on the mat." -m gpt2 --head L3H5

      attnviz inspect "a premise" --pair "a hypothesis" -m MODEL --query hypothesis

      cat notes.txt | attnviz inspect - -m MODEL -o run.safetensors
    """
    from attnviz.attention.selection import Selection
    from attnviz.views.look import Look

    selection = Selection.parse(layer=layer, head=head, stack=stack, query=query, key=key)
    talk = Talk(quiet)
    source = Source(text, file, texts, pair, target)
    source.check()
    if output is not None:
        check_output(output, several=texts is not None)
    show = Show(
        selection,
        Look(
            scale=scale,
            reduce=reduce,
            words=words,
            hide_special=hide_special,
            renormalize=renormalize,
            top=top,
        ),
        view,
        "json" if json_ else format_,
        width,
        color,
        ascii_,
    )
    if source.saved is not None:
        found: Iterator[Capture] = iter([open_saved(source.saved, model)])
    else:
        request = LoadRequest(model, device, dtype, revision, trust_remote_code, offline)
        found = captures(source, request, selection, talk, memory, bos, truncate)
    for capture in found:
        show(capture, output)
        for hint in hints(capture, selection):
            talk.hint(hint)


@dataclass(frozen=True)
class Source:
    """Where the text comes from: exactly one of its ways."""

    text: str | None
    file: Path | None
    texts: Path | None
    pair: str | None
    target: str | None

    def check(self) -> None:
        """Nothing. Raises UsageError unless there is exactly one source."""
        given = [
            name
            for name, value in (("TEXT", self.text), ("--file", self.file), ("--texts", self.texts))
            if value is not None
        ]
        if len(given) != 1:
            said = " and ".join(given) + " exclude each other" if given else "no text was given"
            raise UsageError(said, 'attnviz inspect "some text", or - for standard input')
        if self.saved is not None and (self.pair is not None or self.target is not None):
            raise UsageError("a saved capture has its text already", "leave --pair and --target")

    @property
    def saved(self) -> str | None:
        """The path of a saved capture, when that is what the argument names."""
        return self.text if self.text and self.text.endswith(".safetensors") else None

    def read(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Every (text, pair, target)."""
        from attnviz.inputs.read import read_file, read_stdin, read_texts

        if self.texts is not None:
            for one in read_texts(self.texts):
                yield one.text, one.pair or self.pair, one.target or self.target
            return
        if self.file is not None:
            text = read_file(self.file)
        else:
            text = read_stdin() if self.text == "-" else str(self.text)
        yield text, self.pair, self.target


@dataclass(frozen=True)
class LoadRequest:
    """Which model, and how to load it."""

    name: str | None
    device: str
    dtype: str
    revision: str | None
    trust_remote_code: bool
    offline: bool

    def load(self, talk: Talk) -> LoadedModel:
        """The loaded model, with progress and the hint about the default."""
        from attnviz.models.resolve import resolve

        source = resolve(self.name)
        if self.name is None and source.kind == "sample":
            talk.hint(f"no model named: using {source.name} (choose one with -m MODEL)")
        with talk.progress(f"loading {source.display}"):
            from attnviz.models.load import load

            return load(
                self.name,
                device=self.device,
                dtype=self.dtype,
                revision=self.revision,
                trust_remote_code=self.trust_remote_code,
                offline=self.offline,
            )


def captures(
    source: Source,
    request: LoadRequest,
    selection: Selection,
    talk: Talk,
    memory: str | None,
    bos: bool | None,
    truncate: bool,
) -> Iterator[Capture]:
    """The capture of every text, with the model loaded once."""
    texts = list(source.read())
    loaded = request.load(talk)
    from attnviz.inputs.encode import encode
    from attnviz.run import run

    for text, pair, target in texts:
        inputs = encode(loaded, text, pair=pair, target=target, bos=bos, truncate=truncate)
        with talk.progress(f"running {len(inputs.sources[0])} tokens"):
            found = run(loaded, inputs, selection, memory)[0]
        yield found


def open_saved(path: str, model: str | None) -> Capture:
    """The saved capture at `path`."""
    from attnviz.attention.store import open_capture

    if model is not None:
        raise UsageError("a saved capture needs no model", "leave -m out")
    return open_capture(path)


@dataclass(frozen=True)
class Show:
    """How a capture is shown: what of it, in which look and format, how wide."""

    selection: Selection
    look: Look
    view: ViewName
    form: str
    width: int | None
    color: Literal["auto", "always", "never"]
    ascii: bool

    def __call__(self, capture: Capture, output: Path | None) -> None:
        """Print the capture's view, or write it to the file."""
        if output is not None and output.suffix == ".safetensors":
            capture.save(output)
            return
        suffix = output.suffix.removeprefix(".") if output is not None else ""
        form = {"txt": "table", "": self.form}.get(suffix, suffix)
        stream = sys.stdout if output is None else io.StringIO()
        if form == "table":
            self.draw(capture, stream)
        elif form == "json":
            self.write_json(capture, stream)
        else:
            self.write_rows(capture, stream, "tsv" if form == "tsv" else "csv")
        if isinstance(stream, io.StringIO):
            write_text(output or Path("-"), stream.getvalue())

    def draw(self, capture: Capture, stream: Any) -> None:
        """The picture."""
        from attnviz.render.terminal.console import make_console
        from attnviz.render.terminal.picture import print_view
        from attnviz.views.build import build

        view = build(capture, self.selection, self.look, self.view)
        console: Console = make_console(self.width, self.color, self.ascii, stream)
        print_view(view, console)

    def write_json(self, capture: Capture, stream: Any) -> None:
        """One line of JSON."""
        from attnviz.render.data.as_json import to_json
        from attnviz.views.build import build

        view = build(capture, self.selection, self.look, self.view)
        stream.write(json.dumps(to_json(capture, view), allow_nan=False) + "\n")

    def write_rows(self, capture: Capture, stream: Any, form: Literal["tsv", "csv"]) -> None:
        """The numbers of the view as tidy rows."""
        from attnviz.render.data.rows import table_rows, to_text
        from attnviz.views.build import build

        view = build(capture, self.selection, self.look, self.view)
        stream.write(to_text(table_rows(view), form))


def check_output(path: Path, *, several: bool) -> None:
    """Nothing. Raises UsageError for an unknown format, OutputError for a bad place."""
    if str(path) == "-":
        return
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"-o {path}: {path.suffix or 'no suffix'} is no format that inspect writes",
            f"it writes {' '.join(SUFFIXES)}",
        )
    if several:
        raise UsageError("-o holds one text, --texts gives many", "use --json and redirect stdout")
    writable(path)


def hints(capture: Capture, selection: Selection) -> Iterator[str]:
    """What to try next."""
    if "encoder" in capture.stacks and len(capture.stacks) == 1:
        yield 'the decoder and cross attention need its text: --target "…"'
