"""The function tap: sees models that compute attention themselves.

A torch function mode sees `softmax`, `scaled_dot_product_attention` and
`multi_head_attention_forward`; the module walk says whose call it is.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch.overrides import TorchFunctionMode

from attnviz.models.anatomy.paths import side_of
from attnviz.observe.masks.mask import Mask
from attnviz.observe.sources.layouts import BandWithGlobals, half_window, windowed
from attnviz.observe.sources.map_source import FunctionSource, TensorSource
from attnviz.observe.taps.interface import active, paused, shape_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attnviz.observe.module_calls import ModuleWalk, Running
    from attnviz.observe.taps.interface import Watcher


class FunctionTap(TorchFunctionMode):
    """Reports attention computed by plain torch calls to a watcher.

    A softmax counts when its result is (rows, heads, queries, keys), or (rows · heads, queries,
    keys) and the calling module knows its number of heads. The rows of the batch are the examples,
    or tiles, windows and channels of them where queries attend to as many keys.
    """

    def __init__(
        self,
        watcher: Watcher,
        walk: ModuleWalk,
        examples: int,
        source: int,
        target: int | None,
    ) -> None:
        super().__init__()
        self.watcher = watcher
        self.walk = walk
        self.examples = examples
        self.source, self.target = source, target
        self._band: BandWithGlobals | None = None

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if func not in SEEN or self.watcher.paused or active() is not self.watcher:
            return func(*args, **kwargs)
        with paused(self.watcher):
            result = func(*args, **kwargs)
            if func is F.scaled_dot_product_attention:
                self._dot_product(*args, **kwargs)
            elif func is F.multi_head_attention_forward:
                self._multi_head(args, kwargs)
            else:
                self._softmax(result, _dim(args, kwargs))
        return result

    def _softmax(self, weights: torch.Tensor, dim: int | None) -> None:
        if dim not in (-1, weights.ndim - 1) or not weights.is_floating_point():
            return
        running = self.walk.current()
        if running is None or self._with_globals(weights, running):
            return
        counts = set(self.walk.head_counts())
        half = half_window(running.module)
        lengths = (self._length(running),)
        window = windowed(weights, self.examples, counts, lengths, half)
        if window is not None:
            shape, dense = window
            sizes = (self.examples, *shape)
            self.watcher.seen(lambda: TensorSource(dense(), leaks=True), sizes, None)
            return
        maps = self._unfolded(weights) if weights.ndim == 3 else weights
        if maps is not None and maps.ndim == 4 and self._batched(maps, counts):
            self._report(maps)
        elif weights.ndim > 2:
            self.watcher.unplaced(tuple(weights.shape))

    def _length(self, running: Running) -> int:
        """How many tokens the side of the model has that this module belongs to."""
        if self.target is not None and side_of(running.path, self.watcher.anatomy) == "decoder":
            return self.target
        return self.source

    def _unfolded(self, weights: torch.Tensor) -> torch.Tensor | None:
        """(rows, heads, queries, keys) of heads that were folded into the batch; None if not so."""
        counts = [n for n in self.walk.head_counts() if len(weights) % n == 0]
        ours = (n for n in counts if n * self.examples == len(weights))
        tiles = (n for n in counts if weights.shape[1] == weights.shape[2] > 1)
        heads = next(ours, None) or next(tiles, None)
        return None if heads is None else weights.view(-1, heads, *weights.shape[1:])

    def _batched(self, maps: torch.Tensor, counts: set[int]) -> bool:
        """Whether the first two sizes are rows of the batch and heads."""
        return maps.shape[0] == self.examples or maps.shape[1] in counts

    def _with_globals(self, weights: torch.Tensor, running: Running) -> bool:
        """Whether these are the weights of a band with global keys, or its global rows."""
        if weights.ndim == 4:
            found = BandWithGlobals.of(weights, running.module, running.named)
            if found is not None and self._band is not None:  # whose global rows never came
                self.watcher.unplaced(tuple(self._band.weights.shape))
            self._band = found or self._band
            return found is not None
        band = self._band
        if band is None or not band.takes(weights):
            return False
        self._band = None
        heads, size = band.weights.shape[2], self._length(running)
        self.watcher.seen(
            lambda: TensorSource(*band.dense(weights, size)),
            (self.examples, heads, size, size),
            None,
        )
        return True

    def _dot_product(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> None:
        running = self.walk.current()
        query, key, value = (self._four(one) for one in (query, key, value))
        if running is None:
            return
        if query.ndim != 4:
            self.watcher.unplaced((*query.shape[:-1], key.shape[-2]))
            return
        if attn_mask is not None:
            attn_mask = attn_mask[(None,) * (4 - attn_mask.ndim)]
        mask = Mask(attn_mask, int(query.shape[2]), int(key.shape[2]), causal=is_causal)
        module = running.module
        keywords, anatomy = {"scaling": scale}, self.watcher.anatomy
        self.watcher.seen(
            lambda: FunctionSource(
                module, query, key, value, mask, scaled_dot_product, keywords, anatomy
            ),
            shape_of(query, key),
            module,
        )

    def _four(self, states: torch.Tensor) -> torch.Tensor:
        """(examples, heads, tokens, d) of states without heads or without examples."""
        if states.ndim == 3 and len(states) == self.examples:
            return states.unsqueeze(1)
        return states[(None,) * (4 - states.ndim)] if self.examples == 1 else states

    def _multi_head(self, args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        given = MULTI_HEAD.bind(*args, **kwargs).arguments
        query, key = given["query"], given["key"]
        if query.ndim not in (2, 3):
            return
        added = (given["bias_k"] is not None) + given["add_zero_attn"]
        rows = query.shape[1] if query.ndim == 3 else 1
        shape = rows, given["num_heads"], query.shape[0], key.shape[0] + added
        wanted = given | {"need_weights": True, "average_attn_weights": False}

        def source() -> TensorSource:
            weights = F.multi_head_attention_forward(**wanted)[1]
            assert weights is not None
            return TensorSource(weights if weights.ndim == 4 else weights.unsqueeze(0))

        self.watcher.seen(source, shape, None)

    def _report(self, weights: torch.Tensor) -> None:
        rows, heads, queries, keys = weights.shape
        self.watcher.seen(lambda: TensorSource(weights), (rows, heads, queries, keys), None)


SOFTMAX = (F.softmax, torch.softmax, torch.Tensor.softmax, torch.special.softmax)
MULTI_HEAD = inspect.signature(F.multi_head_attention_forward)
SEEN = (*SOFTMAX, F.scaled_dot_product_attention, F.multi_head_attention_forward)


def _dim(args: Sequence[Any], kwargs: dict[str, Any]) -> int | None:
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return dim if isinstance(dim, int) else None


def scaled_dot_product(
    module: object,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: object,
) -> tuple[None, torch.Tensor]:
    """The weights of torch's own attention, in the shape of an eager attention function."""
    key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scores = query @ key.transpose(-1, -2) * scale
    if mask is not None:
        scores = scores + mask
    return None, torch.softmax(scores.float(), dim=-1)
