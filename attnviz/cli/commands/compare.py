"""`attnviz compare`: which heads attend alike, and what moved between two texts or models."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli import options as o
from attnviz.cli.idle_options import PICTURE, refuse_idle
from attnviz.cli.output import Talk
from attnviz.cli.planning import Planning
from attnviz.cli.show import check_output, chosen_form
from attnviz.cli.source import LoadRequest, Source, captures, require_runs
from attnviz.cli.template import STDOUT, Template
from attnviz.cli.write import IMAGES
from attnviz.errors import InputError, UsageError

if TYPE_CHECKING:
    from attnviz.attention.capture import Capture

OTHER = "Compare with"


def compare(
    context: typer.Context,
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
    source_lang: o.SourceLang = None,
    target_lang: o.TargetLang = None,
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
    with_adapter: Annotated[
        str | None,
        typer.Option(
            help="The model with another adapter, or none.",
            rich_help_panel=OTHER,
            metavar="ADAPTER",
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
    dpi: o.Dpi = 200,
    theme: o.ThemeName = "light",
    quiet: o.Quiet = False,
    adapter: o.Adapter = None,
    revision: o.Revision = None,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    device_map: o.DeviceMap = None,
    quantize: o.Quantize = None,
    trust_remote_code: o.TrustRemoteCode = False,
    offline: o.Offline = False,
    memory: o.Memory = None,
    untrusted: o.Untrusted = False,
    plan: o.Plan = False,
) -> None:
    """Compare heads: groups that attend alike, or what moved between two runs.

    Alone it groups all heads by the Jensen-Shannon distance of their maps. With
    one --head it lists the heads most like it, with several it shows them side
    by side. With --with, --with-model, --with-adapter, --with-revision or
    --with-dtype it lists the heads that moved most, and draws the difference.

    Examples:

      attnviz compare "The cat sat on the mat because it was tired." -m gpt2

      attnviz compare run.safetensors --head L5H3

      attnviz compare "He is a nurse." --with "She is a nurse."

      attnviz compare "The cat sat." -m gpt2 --with-dtype bfloat16
    """
    from attnviz.attention.selection import Selection
    from attnviz.cli.comparing import Comparing, whole
    from attnviz.render.image.style import ImageStyle
    from attnviz.runs.memory import bytes_of
    from attnviz.runs.request import RunRequest

    selection = Selection.parse(layer=layer, head=head, stack=stack)
    talk = Talk(quiet)
    source = Source(text, file, None, pair, target, source_lang, target_lang)
    source.check()
    form = chosen_form(json_, format_)
    template = Template(output or STDOUT)
    check_output(template, form, several=False)
    if template.suffix in ("npz", "align", "safetensors"):
        raise UsageError(f".{template.suffix} holds weights, not distances", "attnviz export")
    request = LoadRequest(
        model, device, dtype, revision, trust_remote_code, offline, device_map, quantize, adapter
    )
    others = {"--with": with_, "--with-model": with_model, "--with-adapter": with_adapter,
              "--with-revision": with_revision, "--with-dtype": with_dtype}  # fmt: skip
    given = [name for name, value in others.items() if value is not None]
    if "--with" in given and len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other", "compare one thing at a time")
    if template.suffix not in IMAGES:
        refuse_idle(context, f".{template.suffix}" if output else "standard output", PICTURE)
    if layers or (selection.single_head is not None and not given):
        what = "--layers, which is a matrix" if layers else "the heads most like one"
        refuse_idle(context, what, {"--view": "it is for several heads"})
    if given and (layers or view == "matrix"):
        raise UsageError(f"{given[0]} lists the heads that moved", "leave --layers and --view out")
    if source.saved is not None and given and given != ["--with"]:
        raise UsageError(f"{given[0]} needs a model, not a saved capture", "give a text")

    if source.text == "-":
        source = replace(source, text=next(source.read()).text)
    changed = replace(
        request,
        name=with_model or model,
        adapter=with_adapter or (None if with_model else adapter),
        revision=with_revision or (None if with_model else revision),
        dtype=with_dtype or dtype,
    )
    if not given and selection.single_head is not None:  # is compared with all the others
        observed = replace(selection, layers=(), heads=(), pairs=())
    else:
        observed = selection
    run = RunRequest(observed, bytes_of(memory, "--memory"), bos, truncate, untrusted=untrusted)
    other = None if with_ is None else second(with_, source)
    if changed != request:  # refused before the first model runs
        require_runs(source, changed, run, talk, whole)
    if plan:
        planning = Planning(run, talk, form, whole)
        planning([source] if other is None else [source, other], request)
        if changed != request:
            planning([source], changed)
        return

    def runs(source: Source, request: LoadRequest, also: Source | None = None) -> Iterator[Capture]:
        return captures(source, request, run, talk, also, whole)

    style = ImageStyle(dpi, theme_name=theme)
    comparing = Comparing(
        selection, layers, view, top, words, form, width, color, ascii_, style, talk
    )
    if not given:
        [found] = runs(source, request)
        comparing.heads(found, template)
    elif other is None:
        one, two = chain(runs(source, request), runs(source, changed))
        comparing.captures(one, two, "models", template)
    elif source.saved is None and other.saved is None:
        one, two = runs(source, request, also=other)
        comparing.captures(one, two, "texts", template)
    else:
        sides: dict[Source, Capture] = {}
        for side in sorted((source, other), key=lambda side: side.saved is None):
            [sides[side]] = runs(side, replace(request, name=None if side.saved else model))
            comparing.check(sides[side])  # a saved one before the model is loaded
        comparing.captures(sides[source], sides[other], "texts", template)


def second(text: str, first: Source) -> Source:
    """The source that --with names, all else as for the first. Raises InputError."""
    if text == "":
        raise InputError("the text of --with is empty", "give at least one character")
    other = Source(text, None, None, None, None)
    return other if other.saved else replace(first, text=text, file=None)
