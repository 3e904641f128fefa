"""`attnviz export`: pictures and numbers as files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from attnviz.cli.exporting import KINDS, NUMBERS, Export, check_looking
from attnviz.cli.options.input import SINGLE, ReadingMany
from attnviz.cli.options.model import Running
from attnviz.cli.options.output import Quiet
from attnviz.cli.options.panels import OUTPUT
from attnviz.cli.options.picture import PICTURES, Picturing
from attnviz.cli.options.selection import Selecting
from attnviz.cli.options.spread import Given
from attnviz.cli.options.view import Looking
from attnviz.cli.planning import Planning
from attnviz.cli.sink import IMAGES, Sink
from attnviz.cli.source import captures
from attnviz.cli.talk import Talk
from attnviz.cli.template import Template
from attnviz.errors import UsageError


@dataclass(frozen=True)
class Writing:
    """The file that is written, and what goes into it."""

    output: Annotated[
        str,
        OUTPUT.value(
            "FILE",
            "The file: .png .svg .pdf, .npz .csv .tsv .json .align, .safetensors; - is "
            "standard output. {layer}, {head}, {stack}, {model} and {index} in its name make "
            "several files.",
            "-o",
            "--output",
        ),
    ]
    format_: Annotated[
        Literal["png", "svg", "pdf", "npz", "csv", "tsv", "json", "align", "safetensors"] | None,
        OUTPUT.value(
            "FORMAT", "The kind of file, where its name does not say: for -o -.", "--format"
        ),
    ] = None
    min_weight: Annotated[
        float | None,
        OUTPUT.value(
            "WEIGHT",
            "The least weight that .csv and .tsv list, arcs draw, .align --soft gives.",
            min=0.0,
            max=1.0,
        ),
    ] = None
    soft: Annotated[
        bool, OUTPUT.flag("--soft", "Weights in .align: i-j:weight for every pair.")
    ] = False
    store_dtype: Annotated[
        Literal["float32", "float16", "uint8"],
        OUTPUT.value(
            "DTYPE",
            "Precision of the maps in .safetensors: float32, float16 or uint8. The picture "
            "says what it costs.",
        ),
    ] = "float32"
    quiet: Quiet = False

    def kind(self, template: Template) -> str:
        """The kind of file: what --format says, else the suffix. Raises UsageError."""
        if self.format_ is not None:
            if template.suffix in KINDS and template.suffix != self.format_:
                raise UsageError(
                    f"-o {template.text} and --format {self.format_} contradict each other",
                    "the suffix of the file says its format",
                )
            return self.format_
        if template.printed:
            raise UsageError("-o - needs a --format", f"one of {', '.join(NUMBERS)}")
        template.require_suffix(KINDS)
        return template.suffix


def export(
    given: Given,
    reading: ReadingMany,
    selecting: Selecting,
    looking: Looking,
    picturing: Picturing,
    writing: Writing,
    running: Running,
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
    selection, talk = selecting.selection(), Talk(writing.quiet)
    source = reading.source()
    source.check()
    several = source.texts is not None
    template = Template(writing.output)
    kind = writing.kind(template)
    if not several:
        given.refuse("a single input", SINGLE)
    check_effects(given, kind, looking, selecting)
    template.check(several=several)
    style = picturing.style()
    if kind in IMAGES:
        style.check()
    load, run = running.load_request(reading.model), running.run_request(selection, reading)
    appearance = looking.appearance()
    if writing.min_weight is not None:
        appearance = replace(appearance, least=writing.min_weight)
    sink = Sink(template, "table", None, "auto", False, style, talk)
    if running.plan:
        Planning(run, sink)([source], load)
        return
    write = Export(
        sink,
        selection,
        appearance,
        looking.view,
        writing.min_weight,
        writing.soft,
        writing.store_dtype,
    )
    for index, capture in enumerate(captures(source, load, run, talk), start=1):
        write(capture, template, kind, index)


def check_effects(given: Given, kind: str, looking: Looking, selecting: Selecting) -> None:
    """Raise UsageError for an option that does nothing to this kind of file or view."""
    check_looking(given, kind, looking, selecting)
    image, view = kind in IMAGES, looking.view
    idle: dict[str, str] = {} if image else dict(PICTURES)
    if not image:
        idle["--view"] = PICTURES["--dpi"]
    if kind != "align":
        idle["--soft"] = "it is for .align"
    if kind != "safetensors":
        idle["--store-dtype"] = "it is for .safetensors"
    if kind not in ("csv", "tsv", "align") and not (image and view == "arcs"):
        idle["--min-weight"] = "it is for .csv .tsv .align and --view arcs"
    given.refuse(f".{kind} (--view {view})" if image else f".{kind}", idle)
