"""Where the answer goes, and in which form."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from attnviz.cli.options.panels import NONE, OUTPUT

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead.", rich_help_panel=OUTPUT, metavar=NONE)
]
Format = Annotated[
    Literal["table", "tsv", "csv"],
    typer.Option(
        "--format",
        help="table prints the picture; tsv and csv its numbers as rows, quoted by the same rule.",
        rich_help_panel=OUTPUT,
        metavar="FORMAT",
    ),
]
OutputFile = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        help="Write to a file instead: .txt .json .csv .tsv, or what export writes. With "
        ".safetensors keep the capture, to be opened again without the model.",
        rich_help_panel=OUTPUT,
        metavar="FILE",
    ),
]
Width = Annotated[
    int | None,
    typer.Option(
        min=20,
        help="Columns to draw in. Default: the terminal's.",
        rich_help_panel=OUTPUT,
        metavar="N",
    ),
]
Color = Annotated[
    Literal["auto", "always", "never"],
    typer.Option(
        help="When to use colour: auto, always or never.", rich_help_panel=OUTPUT, metavar="WHEN"
    ),
]
Ascii = Annotated[
    bool,
    typer.Option(
        "--ascii", help="Draw with ASCII characters only.", rich_help_panel=OUTPUT, metavar=NONE
    ),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "-q", "--quiet", help="No progress and no hints.", rich_help_panel=OUTPUT, metavar=NONE
    ),
]
MinWeight = Annotated[
    float | None,
    typer.Option(
        min=0.0,
        max=1.0,
        help="The least weight that .csv and .tsv list, arcs draw, .align --soft gives.",
        rich_help_panel=OUTPUT,
        metavar="WEIGHT",
    ),
]
Soft = Annotated[
    bool,
    typer.Option(
        "--soft",
        help="Weights in .align: i-j:weight for every pair.",
        rich_help_panel=OUTPUT,
        metavar=NONE,
    ),
]
StoreDtype = Annotated[
    Literal["float32", "float16", "uint8"],
    typer.Option(
        help="Precision of the maps in .safetensors: float32, float16 or uint8. The picture says "
        "what it costs.",
        rich_help_panel=OUTPUT,
        metavar="DTYPE",
    ),
]
FileKind = Annotated[
    Literal["png", "svg", "pdf", "npz", "csv", "tsv", "json", "align", "safetensors"] | None,
    typer.Option(
        "--format",
        help="The kind of file, where its name does not say: for -o -.",
        rich_help_panel=OUTPUT,
        metavar="FORMAT",
    ),
]
ExportFile = Annotated[
    str,
    typer.Option(
        "-o",
        "--output",
        help="The file: .png .svg .pdf, .npz .csv .tsv .json .align, .safetensors; - is standard "
        "output. {layer}, {head}, {stack}, {model} and {index} in its name make several files.",
        rich_help_panel=OUTPUT,
        metavar="FILE",
    ),
]
