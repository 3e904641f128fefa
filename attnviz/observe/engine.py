"""Runs a model once, observes its attention, and gives back outputs and layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from attnviz.attention.axis import fitted, joined, slots
from attnviz.attention.capture import AttentionStack, LayerAttention
from attnviz.attention.ranges import ranges
from attnviz.errors import CaptureError
from attnviz.models.anatomy.counts import media_tokens
from attnviz.models.anatomy.handed import missing
from attnviz.models.quiet import hushed
from attnviz.observe.blocks import NORM, Site
from attnviz.observe.checks.self_check import tolerance
from attnviz.observe.module_calls import ModuleWalk, alone, evaluating
from attnviz.observe.places import Place, Places, pattern_of
from attnviz.observe.sources.joined_rows import Rows
from attnviz.observe.sources.map_source import TensorSource
from attnviz.observe.stream import stream
from attnviz.observe.taps.function import FunctionTap
from attnviz.observe.taps.interface import interface_tap
from attnviz.observe.value_vectors import Proof, values_behind

if TYPE_CHECKING:
    from attnviz.attention.axis import Axis
    from attnviz.models.loaded import LoadedModel
    from attnviz.observe.blocks import Observer, Values
    from attnviz.observe.module_calls import Running
    from attnviz.observe.sources.map_source import MapSource, Origin
    from attnviz.observe.taps.interface import Shape

Wanted = Callable[[str, int, int], Sequence[int]]


def everything(role: str, layer: int, heads: int) -> Sequence[int]:
    """Every head of every layer."""
    return range(heads)


@dataclass
class Layer:
    """One invocation and what was kept of it, per example; empty when nobody asked for it.

    `rows` counts the rows of the batch that attended, `owned` those that are shown: row i is
    example i's own (see `Recorder._owned`).
    `parts` counts the different maps computed under one call of the parent module: CANINE attends
    chunk by chunk. A call that repeats the map does not count: DiffLlama attends twice with the
    same queries and keys, once for each half of the values. `row` is one of its rows, by which maps
    are told apart, `proof` tells of its output projection, `origin` how its rows came about, where
    it was asked for.
    """

    place: Place
    n_heads: int
    rows: int = 1
    owned: int = 1
    parts: int = 1
    kept: list[LayerAttention] = field(default_factory=list)
    row: torch.Tensor | None = None
    proof: Proof | None = None
    origin: Origin | None = None


@dataclass
class Observation:
    """The outputs of the run and every attention layer that was seen.

    `hidden` names the modules (numbers replaced by `*`) that computed attention in a layout that
    is not queries by keys, with the shape of their softmax, `headless` those whose number of heads
    is not known.
    """

    outputs: Any
    layers: list[Layer]
    stack_names: Mapping[tuple[str, str], str]
    hidden: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    headless: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the picture must say was left out."""
        parts = sorted({layer.place.pattern for layer in self.layers if layer.parts > 1})
        return (
            *(f"not shown: {path}, whose softmax has shape {s}" for path, s in self.hidden.items()),
            *(
                f"not shown: {headless(path, s)}; {missing('heads')}"
                for path, s in self.headless.items()
            ),
            *(f"not shown: {path}, which attends in several chunks" for path in parts),
            *self._rows_left_out(),
        )

    def _rows_left_out(self) -> Iterator[str]:
        """Of every stack the rows of the batch that are not shown."""
        lacking: dict[tuple[str, int], list[Layer]] = {}
        for layer in self.layers:
            if layer.owned < layer.rows:
                name = self.stack_names[layer.place.role, layer.place.pattern]
                lacking.setdefault((name, layer.owned), []).append(layer)
        for (name, owned), layers in lacking.items():
            where = f"stack {name}, layers {ranges(one.place.layer for one in layers)}"
            most = max(one.rows for one in layers)
            many = f"up to {most} rows of attention (pictures, tiles, windows or channels)"
            if owned:
                yield f"{where}: of {many} the first is shown"
            else:
                yield f"not shown: {where}, with {many}: run the examples one by one"

    def stacks(self, example: int = 0) -> dict[str, AttentionStack]:
        """The observed layers of one example, by stack."""
        found: dict[str, dict[int, LayerAttention]] = {}
        for layer in self.layers:
            if example < len(layer.kept) and layer.parts == 1:
                name = self.stack_names[layer.place.role, layer.place.pattern]
                one = replace(layer.kept[example], layer=layer.place.layer)
                found.setdefault(name, {})[layer.place.layer] = one
        return {name: AttentionStack(name, by_layer) for name, by_layer in found.items()}


class Recorder:
    """Turns the calls that the taps see into layers (see Watcher)."""

    def __init__(
        self,
        loaded: LoadedModel,
        sources: Sequence[Axis],
        targets: Sequence[Axis] | None,
        observers: Callable[[Site], Sequence[Observer]],
        wanted: Wanted,
    ) -> None:
        model, self.anatomy = loaded.model, loaded.anatomy
        self.paused = False
        self.sources, self.targets = sources, targets
        self.observers, self.wanted = observers, wanted
        self.walk = ModuleWalk(model, self.anatomy)
        pair = targets is not None or bool(getattr(model.config, "is_encoder_decoder", False))
        self.places = Places(self.walk.names, encoder_decoder=pair, anatomy=self.anatomy)
        self.rounding = tolerance(model.dtype, 4)
        self.media = media_tokens(model.config, self.anatomy)
        self.layers: list[Layer] = []
        self.hidden: dict[str, tuple[int, ...]] = {}
        self.headless: dict[str, tuple[int, ...]] = {}
        self._by_caller: dict[tuple[str, int], Layer] = {}
        self._rows: dict[tuple[str, int], Rows] = {}
        self.watching = ExitStack()

    @property
    def lengths(self) -> set[int]:
        """The lengths that query axes can have."""
        return {len(axis) for axes in (self.sources, self.targets or ()) for axis in axes}

    def seen(
        self,
        source: Callable[[], MapSource],
        shape: Shape,
        module: nn.Module | None = None,
    ) -> None:
        """Place the call and, when its layer is wanted, reduce its rows to what is kept."""
        running = self.walk.current(module) or self.walk.current()
        if running is None:
            return
        known = self._by_caller.get((running.path, running.caller))
        if known is not None:
            if known.row is not None:
                again = self._row(known.place, source(), known.kept[0].heads)[1]
                known.parts += not torch.equal(again, known.row)
            return
        modules = self.walk.around(running)
        if shape[2] == 1 and self.steps > 1:
            new = Rows(running, modules, shape)
            rows = self._rows.setdefault((running.path, running.caller), new)
            with torch._C.DisableTorchFunction():
                rows.add(source())
        elif self._spans_sequences(shape):
            self._record(running, modules, source, shape)
        else:
            self.hidden.setdefault(pattern_of(running.path)[0], shape[1:])

    def finish(self) -> None:
        """Place the maps whose rows came one by one; where they make no map, say so."""
        for rows in self._rows.values():
            if rows.fit(self.lengths):
                self._record(rows.running, rows.modules, rows.joined, rows.shape)
            else:
                self.hidden.setdefault(pattern_of(rows.running.path)[0], rows.shape[1:])

    def _record(
        self,
        running: Running,
        modules: list[nn.Module],
        source: Callable[[], MapSource],
        shape: Shape,
    ) -> None:
        rows, heads, queries, keys = shape
        crosses = running.crosses and keys != self.merged_keys
        place = self.places.place(running.path, crosses=crosses)
        layer = Layer(place, heads, rows, self._owned(place, rows, queries))
        self.layers.append(layer)
        self._by_caller[running.path, running.caller] = layer
        picked = tuple(self.wanted(place.role, place.layer, heads))
        if picked and layer.owned:
            with torch._C.DisableTorchFunction():  # thousands of our own calls, none to be seen
                self._reduce(layer, source(), picked, modules)

    def _reduce(
        self, layer: Layer, maps: MapSource, heads: tuple[int, ...], modules: list[nn.Module]
    ) -> None:
        """Keep what the observers want, and look whether the output projection gets these heads."""
        layer.origin = maps.origin
        if isinstance(maps, TensorSource):
            maps.padding = self._padding(layer.place, maps)
        query, layer.row = self._row(layer.place, maps, heads)
        values, projection = values_behind(maps, heads, modules)
        layer.kept = [
            self._keep(layer.place, maps, example, heads, values[example])
            for example in range(layer.owned)
        ]
        if values[0] is not None and projection is not None:
            mixed = values[0].mixed(layer.row[:, 0])
            layer.proof = Proof(mixed, query, heads, maps.heads, max(1e-3, 2 * self.rounding))
            self.watching.callback(layer.proof.watch(projection))

    def _row(self, place: Place, maps: MapSource, heads: Sequence[int]) -> tuple[int, torch.Tensor]:
        """The last query of the first example that is not padding, and its row (heads, 1, keys)."""
        queries = self._axes(place, maps, 0)[0]
        last = queries.first + queries.real - 1
        return last, maps.block(0, heads, last, last + 1).whole(maps.keys)

    def _owned(self, place: Place, rows: int, queries: int) -> int:
        """How many rows of the attention batch are an example's own, row i that of example i.

        Models put pictures, tiles, windows and channels into the batch, and one text may bring more
        of them than another. Of a single example all rows are its own, of which one can be shown.
        """
        examples = len(self.sources)
        if examples == 1:
            return 1
        of_text = queries in self.lengths and place.of_text
        return examples if rows == examples and (of_text or self._shared_evenly) else 0

    @cached_property
    def _shared_evenly(self) -> bool:
        """Whether every example holds as many tokens that stand for pictures and sounds."""
        counts = [[axis.ids.count(number) for number in self.media] for axis in self.sources]
        return all(count == counts[0] for count in counts)

    def take_back(self) -> None:
        """Blank the scores that rest on a projection which got something else."""
        for layer in self.layers:
            if layer.proof is None or layer.proof.holds:
                continue
            for one in layer.kept:
                if NORM in one.kept:
                    one.kept[NORM].fill(math.nan)

    def _spans_sequences(self, shape: Shape) -> bool:
        """Whether these are the sizes of a map over a sequence, perhaps pooled or with slots.

        Mixtures over experts, streams or depth are softmaxes too; their sizes give them away.
        """
        _, heads, queries, keys = shape
        if queries in self.lengths:
            return True
        return queries == keys > 1 and heads in self.walk.head_counts()

    def unplaced(self, shape: tuple[int, ...]) -> None:
        """Remember where attention was computed in a layout that cannot be shown."""
        running = self.walk.current()
        if running is None:
            return
        path = pattern_of(running.path)[0]
        if self._folds_heads(shape):
            self.headless.setdefault(path, shape)
        elif len(shape) > 3 and set(shape[1:-1]) & set(self.walk.head_counts()):
            self.hidden.setdefault(path, shape)

    def _folds_heads(self, shape: tuple[int, ...]) -> bool:
        """Whether these are the sizes of maps of some heads each, whose number is not known."""
        return len(shape) == 3 and not shape[0] % len(self.sources) and self.lengths >= {*shape[1:]}

    @property
    def steps(self) -> int:
        """How many queries the decoder has, or where there is none the only stack."""
        return len((self.targets or self.sources)[0])

    @property
    def merged_keys(self) -> int:
        """How many keys a call has that attends to the target and the source at once."""
        return len(self.sources[0]) + len(self.targets[0]) if self.targets else -1

    def _keep(
        self,
        place: Place,
        maps: MapSource,
        example: int,
        heads: tuple[int, ...],
        values: Values | None,
    ) -> LayerAttention:
        queries, keys = self._axes(place, maps, example)
        site = Site(
            stack=place.role,
            path=place.path,
            order=place.order,
            layer=place.layer,
            example=example,
            heads=heads,
            n_heads=maps.heads,
            queries=queries,
            keys=keys,
            cross=place.role == "cross",
            causal=maps.causal,
            leaks=maps.leaks,
            rounding=self.rounding,
            values=values,
            source=maps,
        )
        kept = stream(site, maps, self.observers(site))
        allowed = kept.pop("allowed", None)
        return LayerAttention(
            layer=place.layer,
            order=place.order,
            path=place.path,
            n_heads=maps.heads,
            heads=heads,
            queries=queries,
            keys=keys,
            causal=maps.causal,
            cross=site.cross,
            kept=kept,
            allowed=allowed,
        )

    def _padding(self, place: Place, maps: MapSource) -> torch.Tensor:
        """bool (examples, queries): the queries that only fill the batch."""
        queries = [self._axes(place, maps, example)[0].padding for example in range(maps.examples)]
        return torch.tensor(queries, device=maps.device)

    def _axes(self, place: Place, maps: MapSource, example: int) -> tuple[Axis, Axis]:
        """The query and key axes; positions without a name are slots."""
        if maps.examples != len(self.sources) or not place.of_text:
            return slots(maps.queries), slots(maps.keys)
        source = self.sources[example]
        target = self.targets[example] if self.targets else source
        if place.role == "cross" and (place.in_encoder or not self.targets):
            return fitted(source, maps.queries), slots(maps.keys)
        if place.role == "cross":
            return fitted(target, maps.queries), fitted(source, maps.keys)
        own = target if place.role == "decoder" else source
        if maps.keys == self.merged_keys:
            return fitted(target, maps.queries), joined(target, source)
        return fitted(own, maps.queries), fitted(own, maps.keys)


def observe(
    loaded: LoadedModel,
    tensors: Mapping[str, Any],
    sources: Sequence[Axis],
    targets: Sequence[Axis] | None,
    observers: Callable[[Site], Sequence[Observer]],
    wanted: Wanted = everything,
) -> Observation:
    """Run the model on the tensors and observe the heads that `wanted(role, layer, heads)` names.

    The run is the model's own: same attention implementation, same outputs, eval mode, no
    gradients. Raises CaptureError when no attention call was seen.
    """
    model, recorder = loaded.model, Recorder(loaded, sources, targets, observers, wanted)
    with ExitStack() as stack:
        stack.enter_context(alone(model))
        stack.enter_context(hushed())
        stack.enter_context(evaluating(model))
        stack.enter_context(recorder.walk.watch())
        stack.enter_context(interface_tap(recorder))
        target = len(targets[0]) if targets else None
        tap = FunctionTap(recorder, recorder.walk, len(sources), len(sources[0]), target)
        stack.enter_context(tap)
        stack.enter_context(recorder.watching)
        outputs = model(**tensors)
        recorder.finish()
    recorder.take_back()
    if not recorder.layers:
        raise unseen(type(getattr(model, "module", model)).__name__, recorder.headless)
    return Observation(
        outputs,
        recorder.layers,
        recorder.places.stack_names(),
        recorder.hidden,
        recorder.headless,
    )


def unseen(name: str, folded: Mapping[str, tuple[int, ...]]) -> CaptureError:
    """The error for a model without a layer to show; `folded` are maps of an unknown head count."""
    for path, shape in folded.items():
        return CaptureError(
            f"no attention of {name} can be shown: {headless(path, shape)}", missing("heads")
        )
    return CaptureError(
        f"no attention was seen in {name}",
        "models without softmax attention (state space, linear) have no weights to show",
    )


def headless(path: str, shape: tuple[int, ...]) -> str:
    """What is not known of the modules of this path, whose softmax has the shape."""
    return f"{path}, whose softmax has shape {shape}: how many heads it has is not known"
