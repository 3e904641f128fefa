"""`attnviz heads`: what every head does, in the order of a score."""

from __future__ import annotations

from typing import Annotated

import typer

from attnviz.cli import options as o
from attnviz.cli.output import Talk
from attnviz.cli.ranking import Ranking
from attnviz.cli.show import check_output, chosen_form
from attnviz.cli.source import LoadRequest, Source, captures
from attnviz.cli.template import STDOUT, Template
from attnviz.errors import UsageError


def heads(
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
    sort: o.Sort = None,
    kind: o.Kind = None,
    top: o.TopHeads = 20,
    view: o.HeadsView = "table",
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
    """Rank heads by what they do.

    Sorted by content, the attention to particular words, or by another score;
    with --query and --key by the weight of that edge. With --texts, scores are
    means over all texts.

    Examples:

      attnviz heads "The cat sat on the mat because it was tired." -m gpt2

      attnviz heads run.safetensors --query it --key cat

      attnviz heads --texts sample:text/sentences --sort previous --top 5

      attnviz heads run.safetensors --sort entropy --view matrix
    """
    from attnviz.attention.selection import Selection

    selection = Selection.parse(layer=layer, head=head, stack=stack, query=query, key=key)
    talk = Talk(quiet)
    source = Source(text, file, texts, pair, target)
    source.check()
    form = chosen_form(json_, format_)
    template = Template(output or STDOUT)
    check_output(template, form, several=False)
    if template.suffix in ("npz", "align", "safetensors"):
        raise UsageError(f".{template.suffix} holds weights, not scores", "attnviz export")
    request = LoadRequest(model, device, dtype, revision, trust_remote_code, offline)
    found = captures(source, request, selection, talk, memory, bos, truncate)
    ranking = Ranking(selection, sort, kind, top, view, form, width, color, ascii_)
    ranking(found, template)
