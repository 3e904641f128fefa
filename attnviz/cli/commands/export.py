"""`attnviz export`: pictures and numbers as files."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from attnviz.cli import options as o
from attnviz.cli.idle_options import IMAGE, PICTURE, check_batch, refuse_idle
from attnviz.cli.output import Talk
from attnviz.cli.planning import Planning
from attnviz.cli.show import check_places
from attnviz.cli.source import LoadRequest, Source, captures
from attnviz.cli.template import Template
from attnviz.cli.write import IMAGES, UNCHANGED, Export, kind_of
from attnviz.errors import UsageError


def export(
    context: typer.Context,
    output: o.ExportFile,
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
    view: o.ExportView = "auto",
    score: o.Score = "content",
    words: o.Words = False,
    hide_special: o.HideSpecial = False,
    renormalize: o.Renormalize = False,
    no_sink_split: o.NoSinkSplit = False,
    scale: o.Scale = "linear",
    reduce: o.Reduce = "mass",
    dpi: o.Dpi = 200,
    size: o.Size = None,
    cmap: o.Cmap = "viridis",
    theme: o.ThemeName = "light",
    font: o.Font = None,
    title: o.Title = None,
    no_labels: o.NoLabels = False,
    format_: o.FileKind = None,
    min_weight: o.MinWeight = None,
    soft: o.Soft = False,
    store_dtype: o.StoreDtype = "float32",
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
    """Write heatmaps, grids and arcs as pictures, weights as numbers.

    The suffix of the file says what is written. Without a selection a picture
    shows every head; with one, that head, layer or stack.

    Examples:

      attnviz export "The cat sat on the mat." -m gpt2 -o grid.png

      attnviz export "The cat sat on the mat." -m gpt2 --head L3H5 -o l3h5.svg

      attnviz export run.safetensors --layer 3 -o "out/L{layer}H{head}.pdf"

      attnviz export run.safetensors --min-weight 0.1 --format csv -o - | head
    """
    from attnviz.attention.selection import Selection
    from attnviz.render.image.style import ImageStyle
    from attnviz.runs.memory import bytes_of
    from attnviz.runs.request import RunRequest
    from attnviz.views.appearance import Appearance

    selection = Selection.parse(layer=layer, head=head, stack=stack, query=query, key=key)
    talk = Talk(quiet)
    source = Source(text, file, texts, pair, target, source_lang, target_lang)
    source.check()
    check_batch(context, texts)
    template = Template(output)
    kind = kind_of(template, format_)
    check_effects(context, kind, view)
    check_places(template, several=texts is not None)
    appearance = Appearance(
        scale=scale,
        reduce=reduce,
        words=words,
        hide_special=hide_special,
        renormalize=renormalize,
        sink_split=not no_sink_split,
    )
    if kind in UNCHANGED and (words or hide_special or renormalize):
        raise UsageError(
            f".{kind} holds the weights as they are", "leave --words, --hide-special, --renormalize"
        )
    if kind in IMAGES and view == "matrix" and (query or key):
        raise UsageError("--view matrix shows scores of whole heads", "leave --query and --key")
    style = ImageStyle(dpi, inches(size), cmap, theme, font, title, not no_labels)
    if kind in IMAGES:
        style.check()
    write = Export(selection, appearance, style, view, score, min_weight, soft, store_dtype)
    request = LoadRequest(
        model, device, dtype, revision, trust_remote_code, offline, device_map, quantize, adapter
    )
    run = RunRequest(selection, bytes_of(memory, "--memory"), bos, truncate, batch_size, untrusted)
    if plan:
        Planning(run, talk)([source], request)
        return
    found = captures(source, request, run, talk)
    for index, capture in enumerate(found, start=1):
        write(capture, template, kind, index, talk)


def check_effects(context: typer.Context, kind: str, view: str) -> None:
    """Nothing. Raises UsageError for an option that does nothing to this kind of file or view."""
    image = kind in IMAGES
    idle = {} if image else PICTURE | {"--view": IMAGE, "--score": IMAGE, "--reduce": IMAGE}
    if kind != "align":
        idle["--soft"] = "it is for .align"
    if kind != "safetensors":
        idle["--store-dtype"] = "it is for .safetensors"
    if kind not in ("csv", "tsv", "align") and not (image and view == "arcs"):
        idle["--min-weight"] = "it is for .csv .tsv .align and --view arcs"
    if image and view != "matrix":
        idle["--score"] = "it is for --view matrix"
    if image and view in ("arcs", "matrix"):
        idle["--reduce"] = "it is for maps: --view grid or heatmap"
    refuse_idle(context, f".{kind} (--view {view})" if image else f".{kind}", idle)


def inches(size: str | None) -> tuple[float, float] | None:
    """`7x5` as (width, height). Raises UsageError."""
    if size is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)[x×](\d+(?:\.\d+)?)", size.strip())
    width, height = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if not (0 < width <= 200 and 0 < height <= 200):
        raise UsageError(f"--size {size} is no size in inches", "write width and height: 7x5")
    return width, height
