"""`attnviz check`: proof that the capture is right on this model."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli import options as o
from attnviz.cli.output import Talk, print_line
from attnviz.cli.planning import Planning
from attnviz.cli.source import LoadRequest
from attnviz.errors import CaptureError

if TYPE_CHECKING:
    from attnviz.attention.capture import Check

TEXT = "The cat sat on the mat because it was tired."


def check(
    model: Annotated[
        str | None,
        typer.Argument(
            help="Hub id, local folder or sample:NAME. Default: as for inspect.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        str, typer.Option(help="The text to run.", rich_help_panel=o.INPUT, metavar="TEXT")
    ] = TEXT,
    target: o.Target = None,
    source_lang: o.SourceLang = None,
    target_lang: o.TargetLang = None,
    json_: o.Json = False,
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
    plan: o.Plan = False,
) -> None:
    """Prove that what is shown of a model's attention is right.

    Compares with the model's own eager weights, without and with padding on
    either side, and changes each layer's attention to see that the output
    follows. Marks with -- what could not be compared, as where --memory does
    not allow whole maps of both. Exit code 1 when a check fails.
    """
    from attnviz.runs.check import check_inputs, read
    from attnviz.runs.memory import bytes_of
    from attnviz.runs.request import RunRequest

    talk = Talk(quiet)
    request = LoadRequest(
        model, device, dtype, revision, trust_remote_code, offline, device_map, quantize, adapter
    )
    asked = RunRequest(memory=bytes_of(memory, "--memory"))
    if plan:
        form = "json" if json_ else "table"
        Planning(asked, talk, form).checks(request, text, target, source_lang, target_lang)
        return
    loaded = request.load(talk)
    inputs = read(loaded, text, target, source_lang, target_lang)
    notes = (*loaded.notes, *inputs.notes)
    with talk.progress(f"check {loaded.facts.name}"):
        checks = check_inputs(loaded, inputs, asked)
    if json_:
        values = {"model": asdict(loaded.facts), "checks": [asdict(one) for one in checks]}
        sys.stdout.write(json.dumps(values | {"notes": notes}) + "\n")
    else:
        facts = loaded.facts
        print_line(
            f"{facts.name}  {facts.architecture} · {facts.dtype} · {facts.device} · "
            f"{facts.implementation}",
            sys.stdout,
        )
        for one in checks:
            print_line(line(one), sys.stdout)
        for note in notes:
            print_line(f"note  {note}", sys.stdout)
    failed = [one.name for one in checks if one.ok is False]
    if failed:
        raise CaptureError(
            f"{len(failed)} of {len(checks)} checks failed on {loaded.facts.name}",
            "please report it with the lines above",
        )


def line(check: Check) -> str:
    """One check as a line: what it says, and the figure behind it."""
    detail = f": {check.detail}" if check.detail else ""
    mark = {True: "ok", False: "FAIL", None: "--"}[check.ok]
    return f"  {mark:4}  {check.name}{detail}"
