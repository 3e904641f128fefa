"""`attnviz inspect`: the first look at a text, or at part of its attention."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli import options as o
from attnviz.cli.output import Talk
from attnviz.cli.show import Show, check_output
from attnviz.cli.source import LoadRequest, Source, captures, open_saved

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture


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

    Without a selection: the model and its prediction, what each head does,
    and the map of the head that looks most at particular words. With one:
    that head, layer or token.

    Examples:

      attnviz inspect "the film was not good at all"

      attnviz inspect "The cat sat on the mat." -m gpt2 --head L3H5

      attnviz inspect "a premise" --pair "a guess" -m MODEL --query guess

      cat notes.txt | attnviz inspect - -m MODEL -o run.safetensors
    """
    from attnviz.attention.selection import Selection
    from attnviz.views.look import Look

    selection = Selection.parse(layer=layer, head=head, stack=stack, query=query, key=key)
    talk = Talk(quiet)
    source = Source(text, file, texts, pair, target)
    source.check()
    form = "json" if json_ else format_
    if output is not None:
        check_output(output, form, several=texts is not None)
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
        form,
        width,
        color,
        ascii_,
    )
    if source.saved is not None:
        found: Iterator[Capture] = iter([open_saved(source.saved, model)])
    else:
        request = LoadRequest(model, device, dtype, revision, trust_remote_code, offline)
        found = captures(source, request, selection, talk, memory, bos, truncate)
    for number, capture in enumerate(found, start=1):
        show(capture, output, number if texts is not None else None)
