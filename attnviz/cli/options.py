"""The options every command shares, declared once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

INPUT, MODEL, SELECT, VIEW, OUTPUT = "Input", "Model", "Selection", "View", "Output"
PICTURE = "Picture"
NONE = ""  # flags take no value; typer would write <bool>

Device = Annotated[
    str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.", rich_help_panel=MODEL, metavar="NAME")
]
Dtype = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"],
    typer.Option(
        help="Precision of the weights: float32, bfloat16, float16, or auto for the checkpoint's.",
        rich_help_panel=MODEL,
        metavar="DTYPE",
    ),
]
DeviceMap = Annotated[
    Literal["auto", "balanced", "sequential"] | None,
    typer.Option(
        help="Spread a large model over devices and main memory: auto, balanced or sequential "
        "(needs attnviz[big]).",
        rich_help_panel=MODEL,
        metavar="HOW",
    ),
]
Quantize = Annotated[
    Literal["8bit", "4bit"] | None,
    typer.Option(
        help="Load the weights in 8bit or 4bit (needs attnviz[quantize]).",
        rich_help_panel=MODEL,
        metavar="BITS",
    ),
]
Revision = Annotated[
    str | None,
    typer.Option(
        help="Branch, tag or commit of a Hub model.", rich_help_panel=MODEL, metavar="REV"
    ),
]
TrustRemoteCode = Annotated[
    bool,
    typer.Option(
        "--trust-remote-code",
        help="Run code from the model's repository on this machine.",
        rich_help_panel=MODEL,
        metavar=NONE,
    ),
]
Offline = Annotated[
    bool,
    typer.Option(
        "--offline",
        help="Use only what is in the local cache.",
        rich_help_panel=MODEL,
        metavar=NONE,
    ),
]
Plan = Annotated[
    bool,
    typer.Option(
        "--plan",
        help="Say what would be kept, what that takes and how long, and stop.",
        rich_help_panel=MODEL,
        metavar=NONE,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        help="Memory for what is kept, such as 4GiB: whole maps, else pooled maps and top keys, "
        "else pooled maps, else scores. Default: a quarter of what is free.",
        rich_help_panel=MODEL,
        metavar="SIZE",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        help="Hub id, local folder or sample:NAME. Default: $ATTNVIZ_MODEL, else the sample.",
        rich_help_panel=MODEL,
        metavar="MODEL",
    ),
]

Pair = Annotated[
    str | None,
    typer.Option(help="The second text of a pair.", rich_help_panel=INPUT, metavar="TEXT"),
]
Target = Annotated[
    str | None,
    typer.Option(
        help="What the decoder of an encoder-decoder reads.", rich_help_panel=INPUT, metavar="TEXT"
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        help="Read one text from a file, or from sample:text/NAME.",
        rich_help_panel=INPUT,
        metavar="FILE",
    ),
]
Texts = Annotated[
    Path | None,
    typer.Option(
        help="Read many texts: .txt (one a line), .jsonl or .csv, or sample:text/NAME.",
        rich_help_panel=INPUT,
        metavar="FILE",
    ),
]
BatchSize = Annotated[
    int,
    typer.Option(
        min=1,
        help="Texts of --texts that are run at once; they share --memory.",
        rich_help_panel=INPUT,
        metavar="N",
    ),
]
Bos = Annotated[
    bool | None,
    typer.Option(
        "--bos/--no-bos",
        help="Put a beginning-of-sequence token in front, or leave it out.",
        rich_help_panel=INPUT,
        metavar=NONE,
    ),
]
Truncate = Annotated[
    bool,
    typer.Option(
        "--truncate",
        help="Cut a text that is longer than the model takes.",
        rich_help_panel=INPUT,
        metavar=NONE,
    ),
]

Layer = Annotated[
    str | None,
    typer.Option(help="Layers: 3, 0-5, 0-5,11,-1.", rich_help_panel=SELECT, metavar="LAYERS"),
]
Head = Annotated[
    str | None,
    typer.Option(help="Heads: 5, 0-3, L3H7, L3H7,L5H1.", rich_help_panel=SELECT, metavar="HEADS"),
]
Stack = Annotated[
    str | None,
    typer.Option(help="self, encoder, decoder, cross, …", rich_help_panel=SELECT, metavar="NAME"),
]
Query = Annotated[
    str | None,
    typer.Option(
        help="Tokens that attend: a word, it#2, an index, -1 or 12-80.",
        rich_help_panel=SELECT,
        metavar="TOKEN",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        help="Tokens attended to, written like --query.", rich_help_panel=SELECT, metavar="TOKEN"
    ),
]

View = Annotated[
    Literal["auto", "map", "table", "grid", "heads"],
    typer.Option(
        help="auto follows the selection; map or table shows one head, grid many maps, "
        "heads what each head does.",
        rich_help_panel=VIEW,
        metavar="VIEW",
    ),
]
Words = Annotated[
    bool,
    typer.Option(
        "--words",
        help="Merge tokens into words: keys sum, queries mean.",
        rich_help_panel=VIEW,
        metavar=NONE,
    ),
]
HideSpecial = Annotated[
    bool,
    typer.Option(
        "--hide-special", help="Leave out special tokens.", rich_help_panel=VIEW, metavar=NONE
    ),
]
Renormalize = Annotated[
    bool,
    typer.Option(
        "--renormalize",
        help="Let what is shown of each row sum to 1.",
        rich_help_panel=VIEW,
        metavar=NONE,
    ),
]
NoSinkSplit = Annotated[
    bool,
    typer.Option(
        "--no-sink-split",
        help="Draw special tokens and other sinks on the colour scale too.",
        rich_help_panel=VIEW,
        metavar=NONE,
    ),
]
Scale = Annotated[
    Literal["linear", "sqrt", "log", "row", "rank"],
    typer.Option(
        help="How weights become colours: linear, sqrt, log, row or rank.",
        rich_help_panel=VIEW,
        metavar="SCALE",
    ),
]
Reduce = Annotated[
    Literal["mass", "mean", "max"],
    typer.Option(
        help="What a cell shows where a map is pooled: mass (summed over keys, averaged over "
        "queries), mean or max.",
        rich_help_panel=VIEW,
        metavar="HOW",
    ),
]
Top = Annotated[
    int,
    typer.Option(min=1, help="Keys listed per query.", rich_help_panel=VIEW, metavar="N"),
]

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON instead.", rich_help_panel=OUTPUT, metavar=NONE)
]
Format = Annotated[
    Literal["table", "tsv", "csv"],
    typer.Option(
        "--format",
        help="table prints the picture; tsv and csv its numbers as rows.",
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

ExportView = Annotated[
    Literal["auto", "grid", "heatmap", "arcs", "matrix"],
    typer.Option(
        help="grid of all heads, heatmap of one, arcs from queries to keys, or matrix of a score; "
        "auto is the heatmap of one selected head, else the grid.",
        rich_help_panel=VIEW,
        metavar="VIEW",
    ),
]
Score = Annotated[
    str,
    typer.Option(help="The score that --view matrix shows.", rich_help_panel=VIEW, metavar="NAME"),
]
Dpi = Annotated[
    int,
    typer.Option(min=20, max=2400, help="Pixels per inch.", rich_help_panel=PICTURE, metavar="N"),
]
Size = Annotated[
    str | None,
    typer.Option(
        help="Width and height in inches: 7x5. Default: what the content needs.",
        rich_help_panel=PICTURE,
        metavar="WxH",
    ),
]
Cmap = Annotated[
    str,
    typer.Option(
        help="A colour map of matplotlib: viridis, cividis, Greys, …",
        rich_help_panel=PICTURE,
        metavar="NAME",
    ),
]
ThemeName = Annotated[
    Literal["light", "dark"],
    typer.Option("--theme", help="light or dark.", rich_help_panel=PICTURE, metavar="NAME"),
]
Font = Annotated[
    str | None,
    typer.Option(
        help="A font for the labels, by name or file.", rich_help_panel=PICTURE, metavar="FONT"
    ),
]
Title = Annotated[
    str | None,
    typer.Option(
        help="The title, in place of the model's name; '' for none.",
        rich_help_panel=PICTURE,
        metavar="TEXT",
    ),
]
NoLabels = Annotated[
    bool,
    typer.Option("--no-labels", help="No token labels.", rich_help_panel=PICTURE, metavar=NONE),
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

Sort = Annotated[
    str | None,
    typer.Option(
        help="The score to sort by, one of those above. Default: content.",
        rich_help_panel=VIEW,
        metavar="SCORE",
    ),
]
Kind = Annotated[
    str | None,
    typer.Option(
        help="Only heads of this name: alignment, induction, duplicate, previous, next, self, "
        "special, first, word, punct, local, sink, broad or mixed.",
        rich_help_panel=VIEW,
        metavar="NAME",
    ),
]
Probe = Annotated[
    Literal["repeated-tokens"] | None,
    typer.Option(
        help="In place of a text: random tokens, repeated, in 5 draws. Scores prefix_matching and "
        "sorts by it.",
        rich_help_panel=INPUT,
        metavar="NAME",
    ),
]
TopHeads = Annotated[
    int, typer.Option(min=1, help="Heads listed.", rich_help_panel=VIEW, metavar="N")
]
HeadsView = Annotated[
    Literal["table", "matrix"],
    typer.Option(
        help="table lists heads, matrix shows the score of all, layers × heads.",
        rich_help_panel=VIEW,
        metavar="VIEW",
    ),
]
