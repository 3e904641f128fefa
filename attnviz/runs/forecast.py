"""What a run would keep and how long it would take, without the run."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from attnviz.runs.layers import in_layers, validate
from attnviz.runs.retain import Keeper
from attnviz.runs.run import from_start, guarded, stacks_of
from attnviz.runs.scope import planned, wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attnviz.attention.axis import Axis
    from attnviz.inputs.encode import ModelInputs
    from attnviz.models.loaded import LoadedModel
    from attnviz.observe.engine import Observation
    from attnviz.observe.sources.map_source import Origin
    from attnviz.runs.plan import Plan
    from attnviz.runs.request import RunRequest

FIRST = 64  # tokens that the shortest run has at least, where there are as many
ENOUGH = 0.5  # seconds that the longest must take, where it is not half of all


@dataclass(frozen=True, slots=True)
class Path:
    """Layers of a stack that are observed alike: so many heads of each, whose rows come about in
    one way; none of them where there is no origin.
    """

    stack: str
    layers: tuple[int, ...]
    heads: int
    origin: Origin | None


@dataclass(frozen=True)
class Forecast:
    """The plan of a run on `tokens` tokens, the paths of its layers, and what short runs took.

    `tries` holds (tokens, seconds) of runs on shortened inputs, observed as the plan says.
    `own_maps` is what the maps of a layer take in bytes where the model itself makes those of all
    heads whole.
    """

    plan: Plan
    tokens: int
    paths: tuple[Path, ...]
    tries: tuple[tuple[int, float], ...]
    own_maps: int = 0

    @property
    def seconds(self) -> float:
        """About how long the run takes (see `at`)."""
        return self.at(self.tokens)

    def at(self, tokens: int) -> float:
        """Seconds for this many tokens: a · tokens + b · tokens², nearest to the tries.

        Neither is negative; the squares of the errors are summed, so that long runs count most.
        """
        lengths, took = np.array(self.tries, dtype=float).T
        terms = np.stack([lengths, lengths**2], axis=1)
        both = np.linalg.lstsq(terms, took)[0]
        if (both < 0).any():
            alone = terms.T @ took / (terms**2).sum(axis=0)
            errors = ((terms * alone - took[:, None]) ** 2).sum(axis=0)
            both = np.where(errors == errors.min(), alone, 0)
        return float(both @ [tokens, tokens**2])


def forecast(loaded: LoadedModel, inputs: ModelInputs, request: RunRequest) -> Forecast:
    """The forecast of a run on one example. The model reads shortened inputs only.

    Raises UsageError when the memory is not enough, SelectionError for what does not exist.
    """
    first = from_start(loaded, shortened(inputs, FIRST), request)
    wants = wanted(inputs, first.selection)
    plan = planned(loaded, inputs, first)
    seen: list[Observation] = []

    def run(tokens: int) -> None:
        keeper = Keeper(replace(plan, budget=max(plan.budget, plan.maps)))
        seen[:] = [guarded(loaded, shortened(inputs, tokens), wants, keeper)]

    tokens = len(inputs.source)
    on_cpu = loaded.facts.device == "cpu"
    tries = timed(run, tokens, time.thread_time if on_cpu else time.perf_counter)
    layers = validate(seen[0], request.selection, loaded.facts.name)
    if request.selection.counts_back and first != (right := in_layers(request, layers)):
        return forecast(loaded, inputs, right)
    stacks_of(seen[0], inputs, request.selection, loaded.facts.name)
    own_maps = made_whole(loaded, inputs, seen[0])
    return Forecast(plan, tokens, paths_of(seen[0]), tries, own_maps)


def foreseen(loaded: LoadedModel, inputs: ModelInputs, request: RunRequest) -> Plan:
    """The plan that a run obeys. At most a shortened input is read, to count the layers where the
    config does not tell.

    Raises UsageError when the memory is not enough, SelectionError for what does not exist.
    """
    return planned(loaded, inputs, from_start(loaded, shortened(inputs, FIRST), request))


def timed(
    run: Callable[[int], None], tokens: int, clock: Callable[[], float]
) -> tuple[tuple[int, float], ...]:
    """(tokens, seconds) of runs that double in length up to half of the tokens.

    They stop where one takes long enough to tell; there are two at least, but of a few tokens.
    But for slow ones each is run twice and the faster counts: the other one found no memory ready,
    or was disturbed.
    """
    doublings = max(2, int(math.log2(max(1, tokens / FIRST))))
    lengths = sorted({max(1, tokens >> by) for by in range(1, doublings + 1)})
    run(lengths[0])  # warms up
    tries: list[tuple[int, float]] = []
    for length in lengths:
        took = clocked(run, length, clock)
        if took < 2 * ENOUGH:
            took = min(took, clocked(run, length, clock))
        tries.append((length, took))
        if len(tries) > 1 and took > ENOUGH:
            break
    return tuple(tries)


def clocked(run: Callable[[int], None], length: int, clock: Callable[[], float]) -> float:
    """Seconds of one run. The time of the calling thread leaves out that of other programs."""
    start = clock()
    run(length)
    return clock() - start


def shortened(inputs: ModelInputs, tokens: int) -> ModelInputs:
    """The inputs with the first tokens and the last one of every sequence."""

    def cut(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if value.ndim < 2 or value.shape[1] <= tokens:
            return value.clone()
        return torch.cat([value[:, : tokens - 1], value[:, -1:]], dim=1)

    def short(axes: Sequence[Axis]) -> tuple[Axis, ...]:
        return tuple(
            axis if len(axis) <= tokens else axis.take([*range(tokens - 1), len(axis) - 1])
            for axis in axes
        )

    return replace(
        inputs,
        tensors={name: cut(one) for name, one in inputs.tensors.items()},
        sources=short(inputs.sources),
        targets=short(inputs.targets) if inputs.targets else None,
    )


def paths_of(seen: Observation) -> tuple[Path, ...]:
    """The layers, those of a stack that are observed alike together."""
    found: dict[tuple[str, int, Origin | None], list[int]] = {}
    for layer in seen.layers:
        stack = seen.stack_names[layer.place.role, layer.place.pattern]
        heads = len(layer.kept[0].heads) if layer.kept else 0
        found.setdefault((stack, heads, layer.origin), []).append(layer.place.layer)
    return tuple(
        Path(stack, tuple(layers), heads, origin)
        for (stack, heads, origin), layers in found.items()
    )


def made_whole(loaded: LoadedModel, inputs: ModelInputs, seen: Observation) -> int:
    """Bytes of the largest layer's maps where the model makes those of all heads whole, else 0.

    Eager attention does, and what computes attention without an attention function.
    """
    tensors = any(layer.origin == "own tensor" for layer in seen.layers)
    if loaded.facts.implementation != "eager" and not tensors:
        return 0
    longest = max(len(axis) for axis in (*inputs.sources, *(inputs.targets or ())))
    heads = max(layer.n_heads for layer in seen.layers)
    return heads * longest**2 * loaded.model.dtype.itemsize
