"""Which model, how it is loaded, and what a run may take."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from attnviz.cli.options.panels import MODEL, NONE

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
        "(needs the extra big).",
        rich_help_panel=MODEL,
        metavar="HOW",
    ),
]
Quantize = Annotated[
    Literal["8bit", "4bit"] | None,
    typer.Option(
        help="Load the weights in 8bit or 4bit (needs the extra quantize).",
        rich_help_panel=MODEL,
        metavar="BITS",
    ),
]
Adapter = Annotated[
    str | None,
    typer.Option(
        help="Apply this adapter of peft, a folder or Hub id; none leaves out the one that lies "
        "with the model (needs the extra peft).",
        rich_help_panel=MODEL,
        metavar="ADAPTER",
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
Untrusted = Annotated[
    bool,
    typer.Option(
        "--untrusted",
        help="Show a capture that fails its checks too; cells that are no numbers look so.",
        rich_help_panel=MODEL,
        metavar=NONE,
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        help="Memory for what is kept, such as 4GiB or 4G (GB is decimal): whole maps, else pooled "
        "maps and top keys, else pooled maps, else scores. Default: a quarter of what is free.",
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
