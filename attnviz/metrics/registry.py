"""The scores that every run computes: observers of row blocks, registered by their modules."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeVar

from attnviz.metrics.about import SCORES
from attnviz.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.metrics.about import Score
    from attnviz.observe.blocks import Observer

O = TypeVar("O", bound="Callable[[], Observer]")  # noqa: E741
BUILT_IN = tuple(
    f"attnviz.metrics.{name}"
    for name in ("scores", "targets", "structure", "alignment", "value_weighted")
)
OBSERVERS: dict[str, list[Callable[[], Observer]]] = {}  # by module


def measures(*scores: Score) -> Callable[[O], O]:
    """Register a class of observers, that keep `score.NAME` of every head.

    `scores` say what those mean that attnviz does not know yet.
    """

    def register(observer: O) -> O:
        OBSERVERS.setdefault(observer.__module__, []).append(observer)
        SCORES.update((score.name, score) for score in scores)
        return observer

    return register


def observers() -> list[Observer]:
    """One observer of every class, those of attnviz first."""
    for module in BUILT_IN:
        import_module(module)
    modules = dict.fromkeys((*BUILT_IN, *OBSERVERS))
    return [observer() for module in modules for observer in OBSERVERS[module]]


def look_for(score: str | None) -> None:
    """Load the plug-ins where attnviz itself has no score of this name, so that a run has it."""
    if score is not None and score not in SCORES:
        load_plugins()
