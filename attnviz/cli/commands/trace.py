"""`attnviz trace`: how one weight came about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from attnviz.cli import options as o
from attnviz.cli.output import Talk
from attnviz.cli.planning import Planning
from attnviz.cli.show import check_places, chosen_form
from attnviz.cli.source import LoadRequest, Source, one_token_each
from attnviz.cli.template import STDOUT, Template
from attnviz.cli.tracing import Tracing, check_kind, excluded, recipe_of, refuse_saved
from attnviz.errors import UsageError

HAND = "By hand"

Qkv = Annotated[
    Path | None,
    typer.Option(
        "--qkv",
        help="Numbers in place of a model: query, key, value and W, U, v, as .json, .npz or .csv, "
        "or sample:qkv/NAME.",
        rich_help_panel=HAND,
        metavar="FILE",
    ),
]
Mechanism = Annotated[
    Literal["dot", "scaled-dot", "general", "additive", "concat"] | None,
    typer.Option(
        help="The score: dot, scaled-dot (the default), general, additive or concat.",
        rich_help_panel=HAND,
        metavar="NAME",
    ),
]
Soft = Annotated[
    bool,
    typer.Option(
        "--soft",
        help="Weights by softmax, the default.",
        rich_help_panel=HAND,
        metavar=o.NONE,
    ),
]
Hard = Annotated[
    bool,
    typer.Option(
        "--hard",
        help="All weight to the key with the largest score.",
        rich_help_panel=HAND,
        metavar=o.NONE,
    ),
]
Local = Annotated[
    float | None,
    typer.Option(
        help="Weights around this key: softmax over the keys at most 2 from P, times a Gaussian.",
        rich_help_panel=HAND,
        metavar="P",
    ),
]
Heads = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Heads that share the dimensions. Default: 1.",
        rich_help_panel=HAND,
        metavar="N",
    ),
]
Causal = Annotated[
    bool,
    typer.Option(
        "--causal",
        help="No query attends to a later key.",
        rich_help_panel=HAND,
        metavar=o.NONE,
    ),
]
Head = Annotated[
    str | None,
    typer.Option(
        help="The head, as L3H5. Default: the one that inspect shows.",
        rich_help_panel=o.SELECT,
        metavar="HEAD",
    ),
]
Query = Annotated[
    str | None,
    typer.Option(
        help="The token that attends: a word, it#2, an index or -1. Default: the one whose weight "
        "to another token that is no sink is the largest.",
        rich_help_panel=o.SELECT,
        metavar="TOKEN",
    ),
]
Key = Annotated[
    str | None,
    typer.Option(
        help="One token attended to: which dimensions made its score.",
        rich_help_panel=o.SELECT,
        metavar="TOKEN",
    ),
]
Top = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Keys and dimensions listed. Default: 8.",
        rich_help_panel=o.VIEW,
        metavar="N",
    ),
]


def trace(
    text: Annotated[
        str | None,
        typer.Argument(help="The text; - reads standard input.", show_default=False),
    ] = None,
    model: o.ModelName = None,
    pair: o.Pair = None,
    target: o.Target = None,
    source_lang: o.SourceLang = None,
    target_lang: o.TargetLang = None,
    file: o.File = None,
    bos: o.Bos = None,
    truncate: o.Truncate = False,
    qkv: Qkv = None,
    mechanism: Mechanism = None,
    soft: Soft = False,
    hard: Hard = False,
    local: Local = None,
    heads: Heads = None,
    causal: Causal = False,
    layer: o.Layer = None,
    head: Head = None,
    stack: o.Stack = None,
    query: Query = None,
    key: Key = None,
    top: Top = None,
    json_: o.Json = False,
    format_: o.Format = "table",
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="Write to a file instead: .png .svg .pdf, .txt .json .csv .tsv.",
            rich_help_panel=o.OUTPUT,
            metavar="FILE",
        ),
    ] = None,
    width: o.Width = None,
    color: o.Color = "auto",
    ascii_: o.Ascii = False,
    quiet: o.Quiet = False,
    adapter: o.Adapter = None,
    revision: o.Revision = None,
    device: o.Device = "auto",
    dtype: o.Dtype = "auto",
    trust_remote_code: o.TrustRemoteCode = False,
    offline: o.Offline = False,
    memory: o.Memory = None,
    plan: o.Plan = False,
) -> None:
    """Show how attention comes about, step by step.

    From a model: one query of one head, from q·k over scale, mask and softmax to
    the weights, the values and the head's output; with --key also which
    dimensions made one score. By hand: the same from numbers in a file, with
    every score of the textbooks.

    Examples:

      attnviz trace "The cat sat; it was tired." -m gpt2 --head L3H5 --query it

      attnviz trace "The cat sat; it was tired." --query it --key cat

      attnviz trace --qkv sample:qkv/luong --mechanism general

      attnviz trace --qkv numbers.json --causal --heads 2 -o trace.png
    """
    form = chosen_form(json_, format_)
    template = Template(output or STDOUT)
    check_kind(template, form)
    talk = Talk(quiet)
    tracing = Tracing(query, key, top, form, width, color, ascii_, talk, template)
    if template.text != STDOUT:
        check_places(template, several=False, filled=("model",) if qkv is None else ())
    if qkv is not None:
        from_text: dict[str, object] = {
            "TEXT": text, "-m": model, "--pair": pair, "--target": target, "--file": file,
            "--source-lang": source_lang, "--target-lang": target_lang,
            "--bos": bos, "--truncate": truncate or None, "--layer": layer, "--head": head,
            "--stack": stack, "--adapter": adapter, "--revision": revision, "--memory": memory,
            "--plan": plan or None,
        }  # fmt: skip
        excluded("--qkv", from_text, "--qkv runs no model")
        tracing.by_hand(qkv, recipe_of(mechanism, soft, hard, local, heads, causal))
        return
    by_hand = {"--mechanism": mechanism, "--soft": soft or None, "--hard": hard or None,
               "--local": local, "--heads": heads, "--causal": causal or None}  # fmt: skip
    for name, value in by_hand.items():
        if value is not None:
            raise UsageError(f"{name} needs --qkv", "a model has a mechanism of its own")
    from attnviz.attention.selection import Selection
    from attnviz.runs.memory import bytes_of
    from attnviz.runs.request import RunRequest

    selection = Selection.parse(layer=layer, head=head, stack=stack, query=query, key=key)
    source = Source(text, file, None, pair, target, source_lang, target_lang)
    source.check()
    refuse_saved(source)
    request = LoadRequest(
        model, device, dtype, revision, trust_remote_code, offline, adapter=adapter
    )
    run = RunRequest(selection, bytes_of(memory, "--memory"), bos, truncate)
    if plan:  # the second run keeps what the traced head was given
        planning = Planning(run, talk, form, one_token_each, runs=2)
        planning([source], request)
        return
    tracing.from_model(source, request, run)
