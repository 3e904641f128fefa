"""`attnviz compare`: which heads attend alike, and what moved between two texts or models."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain
from typing import Annotated, Literal

import typer

from attnviz.cli import options as o
from attnviz.cli.output import Talk
from attnviz.cli.show import check_output, chosen_form
from attnviz.cli.source import LoadRequest, Source, captures
from attnviz.cli.template import STDOUT, Template
from attnviz.errors import InputError, UsageError

OTHER = "Compare with"


def compare(
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
    bos: o.Bos = None,
    truncate: o.Truncate = False,
    layer: o.Layer = None,
    head: o.Head = None,
    stack: o.Stack = None,
    with_: Annotated[
        str | None,
        typer.Option(
            "--with",
            help="Another text, or a saved capture: which heads moved most.",
            rich_help_panel=OTHER,
            metavar="TEXT",
        ),
    ] = None,
    with_model: Annotated[
        str | None,
        typer.Option(
            help="Another model on the same text.", rich_help_panel=OTHER, metavar="MODEL"
        ),
    ] = None,
    with_revision: Annotated[
        str | None,
        typer.Option(help="Another revision of the model.", rich_help_panel=OTHER, metavar="REV"),
    ] = None,
    with_dtype: Annotated[
        Literal["float32", "bfloat16", "float16"] | None,
        typer.Option(
            help="The same model in another precision.", rich_help_panel=OTHER, metavar="DTYPE"
        ),
    ] = None,
    layers: Annotated[
        bool,
        typer.Option(
            "--layers",
            help="Compare layer with layer.",
            rich_help_panel=o.VIEW,
            metavar=o.NONE,
        ),
    ] = False,
    top: o.TopHeads = 10,
    view: Annotated[
        Literal["table", "matrix"],
        typer.Option(
            help="table lists groups, matrix shows the distance of every two heads.",
            rich_help_panel=o.VIEW,
            metavar="VIEW",
        ),
    ] = "table",
    words: o.Words = False,
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
    """Compare heads: groups that attend alike, or what moved between two runs.

    Alone it groups all heads by the Jensen-Shannon distance of their maps. With
    one --head it lists the heads most like it, with several it shows them side
    by side. With --with, --with-model, --with-revision or --with-dtype it lists
    the heads that moved most, and draws the difference.

    Examples:

      attnviz compare "The cat sat on the mat because it was tired." -m gpt2

      attnviz compare run.safetensors --head L5H3

      attnviz compare "He is a nurse." --with "She is a nurse."

      attnviz compare "The cat sat." -m gpt2 --with-dtype bfloat16
    """
    from attnviz.attention.selection import Selection
    from attnviz.cli.comparing import Comparing

    selection = Selection.parse(layer=layer, head=head, stack=stack)
    talk = Talk(quiet)
    source = Source(text, file, None, pair, target)
    source.check()
    form = chosen_form(json_, format_)
    template = Template(output or STDOUT)
    check_output(template, form, several=False)
    if template.suffix in ("npz", "align", "safetensors"):
        raise UsageError(f".{template.suffix} holds weights, not distances", "attnviz export")
    request = LoadRequest(model, device, dtype, revision, trust_remote_code, offline)
    others = {"--with": with_, "--with-model": with_model, "--with-revision": with_revision,
              "--with-dtype": with_dtype}  # fmt: skip
    given = [name for name, value in others.items() if value is not None]
    if "--with" in given and len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other", "compare one thing at a time")
    if given and (layers or view == "matrix"):
        raise UsageError(f"{given[0]} lists the heads that moved", "leave --layers and --view out")
    if source.saved is not None and given and given != ["--with"]:
        raise UsageError(f"{given[0]} needs a model, not a saved capture", "give a text")

    if source.text == "-":
        source = replace(source, text=next(source.read()).text)
    comparing = Comparing(selection, layers, view, top, words, form, width, color, ascii_, talk)
    if not given:
        alone = selection.single_head is not None  # is compared with all the others
        wanted = replace(selection, layers=(), heads=(), pairs=()) if alone else selection
        [found] = captures(source, request, wanted, talk, memory, bos, truncate)
        comparing.heads(found, template)
        return
    if with_ is not None:
        if with_ == "":
            raise InputError("the text of --with is empty", "give at least one character")
        saved = with_.endswith(".safetensors")
        other = Source(with_, None, None, None if saved else pair, None if saved else target)
        if source.saved is None and not saved:
            both = captures(source, request, selection, talk, memory, bos, truncate, also=other)
        else:
            both = chain.from_iterable(
                captures(one, replace(request, name=None if one.saved else model),
                         selection, talk, memory, bos, truncate)
                for one in (source, other)
            )  # fmt: skip
        first, second = both
        comparing.captures(first, second, "texts", template)
        return
    changed = replace(
        request,
        name=with_model or model,
        revision=with_revision or (None if with_model else revision),
        dtype=with_dtype or dtype,
    )
    first, second = chain.from_iterable(
        captures(source, how, selection, talk, memory, bos, truncate) for how in (request, changed)
    )
    comparing.captures(first, second, "models", template)
