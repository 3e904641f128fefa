"""`attnviz heads`: what every head does, in the order of a score."""

from __future__ import annotations

from dataclasses import replace
from inspect import cleandoc
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli import options as o
from attnviz.cli.idle_options import check_batch, refuse_idle
from attnviz.cli.output import Talk
from attnviz.cli.planning import Planning
from attnviz.cli.ranking import Ranking
from attnviz.cli.score_list import listing
from attnviz.cli.show import check_output, chosen_form
from attnviz.cli.source import LoadRequest, Source, captures, one_token_each, probed
from attnviz.cli.template import STDOUT, Template
from attnviz.cli.write import IMAGES
from attnviz.errors import UsageError
from attnviz.metrics.about import SCORES

if TYPE_CHECKING:
    from attnviz.attention.selection import Selection

DRAWS = "draws of repeated random tokens"


def heads(
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
    probe: o.Probe = None,
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
    """Rank heads by what they do.

    Sorted by content, the attention to particular words, or by another score;
    with --query and --key by the weight of that edge. With --texts, scores are
    means over all texts. --probe finds the heads of a language model that look
    for what followed an earlier copy of a token.

    Examples:

      attnviz heads "The cat sat on the mat because it was tired." -m gpt2

      attnviz heads run.safetensors --query it --key cat

      attnviz heads --texts sample:text/sentences --sort previous --top 5

      attnviz heads run.safetensors --sort entropy --view matrix

      attnviz heads --probe repeated-tokens -m gpt2
    """
    from attnviz.attention.selection import Selection
    from attnviz.runs.memory import bytes_of
    from attnviz.runs.request import RunRequest
    from attnviz.views.heads.score_matrix import EDGE, check_score

    selection = Selection.parse(layer=layer, head=head, stack=stack, query=query, key=key)
    talk = Talk(quiet)
    source = Source(text, file, texts, pair, target, source_lang, target_lang)
    if probe is None:
        source.check()
    else:
        check_probe(source, selection)
    check_batch(context, texts)
    if sort is not None and source.saved is None:
        check_score(sort, (*SCORES, EDGE))
    form = chosen_form(json_, format_)
    template = Template(output or STDOUT)
    check_output(template, form, several=False)
    if template.suffix in ("npz", "align", "safetensors"):
        raise UsageError(f".{template.suffix} holds weights, not scores", "attnviz export")
    if template.suffix in IMAGES and view == "table":
        refuse_idle(context, f".{template.suffix}", {"--view": "a picture shows the matrix"})
    request = LoadRequest(
        model, device, dtype, revision, trust_remote_code, offline, device_map, quantize, adapter
    )
    run = RunRequest(selection, bytes_of(memory, "--memory"), bos, truncate, batch_size, untrusted)
    if plan:
        planning = Planning(run, talk, form, one_token_each)
        planning([source], request) if probe is None else planning.probe(request)
        return
    ranking = Ranking(selection, sort, kind, top, view, form, width, color, ascii_)
    if probe is None:
        found = captures(source, request, run, talk, foresee=one_token_each)
    else:
        from attnviz.runs.repeated_tokens import PREFIX_MATCHING

        found = probed(request, run, talk)
        ranking = replace(ranking, sort=sort or PREFIX_MATCHING, over=DRAWS)
    ranking(found, template)


# The list of scores is written by the table that says what each means.
heads.__doc__ = f"{cleandoc(heads.__doc__ or '')}\n\n{listing()}"


def check_probe(source: Source, selection: Selection) -> None:
    """Nothing. Raises UsageError when something is asked of a text, which a probe has not."""
    if source.saved is not None:
        raise UsageError("--probe runs a model: a saved capture has none", "give -m MODEL")
    given = {
        "TEXT": source.text,
        "--file": source.file,
        "--texts": source.texts,
        "--pair": source.pair,
        "--target": source.target,
        "--source-lang": source.source_lang,
        "--target-lang": source.target_lang,
        "--query": selection.query,
        "--key": selection.key,
    }
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name} and --probe exclude each other", "the probe is the input")
