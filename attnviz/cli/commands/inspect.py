"""`attnviz inspect`: the first look at a text, or at part of its attention."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli import options as o
from attnviz.cli.idle_options import check_batch, refuse_idle
from attnviz.cli.output import Talk
from attnviz.cli.planning import Planning
from attnviz.cli.show import TEXTS, Show, check_output, chosen_form
from attnviz.cli.source import LoadRequest, Source, captures
from attnviz.cli.template import FIELDS, STDOUT, Template
from attnviz.cli.write import IMAGES, Export

if TYPE_CHECKING:
    from attnviz.views.figure import FigureView

FIGURES: dict[str, FigureView] = {"map": "heatmap", "grid": "grid"}


def inspect(
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
    texts: o.Texts = None,
    batch_size: o.BatchSize = 1,
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
    no_sink_split: o.NoSinkSplit = False,
    scale: o.Scale = "linear",
    reduce: o.Reduce = "mass",
    top: o.Top = 3,
    json_: o.Json = False,
    format_: o.Format = "table",
    output: o.OutputFile = None,
    width: o.Width = None,
    color: o.Color = "auto",
    ascii_: o.Ascii = False,
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
    """Show what a model attends to in a text.

    Without a selection: the model and its prediction, what each head does,
    and the map of the head that looks most at particular words. With one:
    that head, layer or token.

    Examples:

      attnviz inspect "The old sailor met the widow, and then the old sailor"

      attnviz inspect "The cat sat on the mat." -m gpt2 --head L3H5

      attnviz inspect "a premise" --pair "a guess" -m MODEL --query guess

      cat notes.txt | attnviz inspect - -m MODEL -o run.safetensors
    """
    from attnviz.attention.selection import Selection
    from attnviz.runs.memory import bytes_of
    from attnviz.runs.request import RunRequest
    from attnviz.views.appearance import Appearance

    selection = Selection.parse(layer=layer, head=head, stack=stack, query=query, key=key)
    talk = Talk(quiet)
    source = Source(text, file, texts, pair, target, source_lang, target_lang)
    source.check()
    check_batch(context, texts)
    form = chosen_form(json_, format_)
    template = Template(output or STDOUT)
    filled = ("model", "index") if template.suffix in TEXTS else FIELDS
    check_output(template, form, several=texts is not None, filled=filled)
    check_effects(context, template.suffix or form, view)
    appearance = Appearance(
        scale=scale,
        reduce=reduce,
        words=words,
        hide_special=hide_special,
        renormalize=renormalize,
        sink_split=not no_sink_split,
        top=top,
    )
    show = Show(selection, appearance, view, form, width, color, ascii_)
    request = LoadRequest(
        model, device, dtype, revision, trust_remote_code, offline, device_map, quantize, adapter
    )
    run = RunRequest(selection, bytes_of(memory, "--memory"), bos, truncate, batch_size, untrusted)
    if plan:
        Planning(run, talk, form)([source], request)
        return
    found = captures(source, request, run, talk)
    for index, capture in enumerate(found, start=1):
        number = index if texts is not None else None
        if template.suffix in TEXTS:
            show(capture, template.path(model=capture.model.name, index=index), number)
        elif template.text != STDOUT:
            export = Export(selection, appearance, view=FIGURES.get(view, "auto"))
            export(capture, template, template.suffix, index, talk)
        if template.suffix in ("", "safetensors"):
            show(capture, None, number)


def check_effects(context: typer.Context, kind: str, view: str) -> None:
    """Nothing. Raises UsageError for an option that does nothing to this kind of file or view."""
    if kind in ("npz", "align"):
        refuse_idle(context, f".{kind}", {"--view": "it holds the weights themselves"})
    if kind in IMAGES and view in ("table", "heads"):
        refuse_idle(context, f".{kind}", {"--view": "a picture shows map or grid"})
    if kind not in (*IMAGES, "table", "txt", "safetensors"):
        refuse_idle(context, kind, {"--reduce": "numbers are not pooled for a picture"})
    elif view in ("table", "heads"):
        refuse_idle(context, f"--view {view}", {"--reduce": "it is for maps: --view map or grid"})
