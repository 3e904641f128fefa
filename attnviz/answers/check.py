"""Proof that what is shown of a model's attention is right."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.runs.check import check_inputs, read
from attnviz.runs.request import RunRequest
from attnviz.views.answer import Answer, Facts
from attnviz.views.listing import Listing

if TYPE_CHECKING:
    from attnviz.attention.capture import Check
    from attnviz.models.loaded import LoadedModel


def check_text(
    loaded: LoadedModel,
    text: str,
    target: str | None = None,
    source_lang: str | None = None,
    target_lang: str | None = None,
    asked: RunRequest = RunRequest(),
) -> Answer:
    """Every check of a model on this text.

    Raises UsageError when the memory is not enough, ModelError when the model cannot be run.
    """
    inputs = read(loaded, text, target, source_lang, target_lang)
    checks = tuple(check_inputs(loaded, inputs, asked))
    facts = Facts(loaded.facts, text, target=inputs.texts[0].target, tokens=len(inputs.source))
    notes = (*loaded.notes, *inputs.notes)
    return Answer(facts, (Listing(tuple(map(line, checks))),), notes, checks)


def line(check: Check) -> str:
    """One check as a line: what it says, and the figure behind it."""
    detail = f": {check.detail}" if check.detail else ""
    mark = {True: "ok", False: "FAIL", None: "--"}[check.ok]
    return f"  {mark:4}  {check.name}{detail}"
