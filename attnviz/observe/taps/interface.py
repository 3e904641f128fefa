"""The interface tap: sees every model that fetches its attention function from transformers.

`AttentionInterface.get_interface(implementation, default)` is asked at every call; `default` is
the model's own eager function. The one method is wrapped while any tap is open, and passes
everything through unless the current context has an active one. So is the mask function for SDPA:
under a tap, long masks are lazy.
"""

from __future__ import annotations

import functools
import threading
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from attnviz.models.anatomy.calls import argument, setting
from attnviz.models.anatomy.names import KNOWN
from attnviz.observe.masks.lazy import lazily
from attnviz.observe.masks.mask import Mask
from attnviz.observe.sources.map_source import FunctionSource

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch
    from torch import nn

    from attnviz.models.anatomy.names import Anatomy
    from attnviz.observe.sources.map_source import MapSource

Shape = tuple[int, int, int, int]

UNMASKED = ("eager", "flex_attention")  # attend to everything when they are given no mask

_active: ContextVar[Watcher | None] = ContextVar("attnviz_interface_tap", default=None)
_lock = threading.Lock()
_open: list[None] = []  # one for every tap
_undo = ExitStack()


class Watcher(Protocol):
    """Takes the attention calls that the taps see.

    `source` is a function that makes the MapSource: a call that nobody asks for costs nothing.
    `shape` is (rows of the batch, heads, queries, keys), `module` the caller where it is known.
    While `paused`, calls belong to an attention function that is already reported, or to us. By the
    names of `anatomy` the calls tell what they compute.
    """

    paused: bool
    anatomy: Anatomy

    def seen(self, source: Callable[[], MapSource], shape: Shape, module: nn.Module | None) -> None:
        """One attention call."""

    def unplaced(self, shape: tuple[int, ...]) -> None:
        """A softmax that may be attention, but cannot be placed."""


def active() -> Watcher | None:
    """The watcher of the innermost capture of this thread."""
    return _active.get()


@contextmanager
def interface_tap(watcher: Watcher) -> Iterator[None]:
    """Reports every attention call to the watcher while the context is open."""
    with _installed():
        token = _active.set(watcher)
        try:
            yield
        finally:
            _active.reset(token)


@contextmanager
def _installed() -> Iterator[None]:
    """The wrappers are there while a tap of any thread is open; torch.compile cannot trace them."""
    with _lock:
        if not _open:
            _install(_undo)
        _open.append(None)
    try:
        yield
    finally:
        with _lock:
            _open.pop()
            if not _open:
                _undo.close()


def _install(undo: ExitStack) -> None:
    from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, sdpa_mask
    from transformers.modeling_utils import AttentionInterface

    if ALL_MASK_ATTENTION_FUNCTIONS["sdpa"] is sdpa_mask:  # of another we do not know what it does
        lazy = lazily(sdpa_mask, lambda: _active.get() is not None)
        ALL_MASK_ATTENTION_FUNCTIONS.register("sdpa", lazy)
        undo.callback(ALL_MASK_ATTENTION_FUNCTIONS.register, "sdpa", sdpa_mask)

    original = AttentionInterface.get_interface

    def get_interface(
        self: AttentionInterface, attn_implementation: str, default: Callable[..., Any]
    ) -> Callable[..., Any]:
        real: Callable[..., Any] = original(self, attn_implementation, default)
        if _active.get() is None:
            return real
        return functools.partial(_observed, real, default, attn_implementation or "eager")

    setattr(AttentionInterface, "get_interface", get_interface)  # noqa: B010
    undo.callback(setattr, AttentionInterface, "get_interface", original)


def _observed(
    real: Callable[..., Any],
    eager: Callable[..., Any],
    implementation: str,
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any = None,
    **keywords: Any,
) -> Any:
    """What the real function gives, after which the call is reported."""
    watcher = _active.get()
    if watcher is None or watcher.paused:
        return real(module, query, key, value, attention_mask, **keywords)
    with paused(watcher):
        result = real(module, query, key, value, attention_mask, **keywords)
        anatomy = watcher.anatomy
        mask = mask_of(module, query, key, attention_mask, keywords, implementation, anatomy)
        source = functools.partial(
            FunctionSource, module, query, key, value, mask, eager, keywords, anatomy
        )
        watcher.seen(source, shape_of(query, key), module)
    return result


def shape_of(query: torch.Tensor, key: torch.Tensor) -> Shape:
    """The sizes of the maps between these states, (rows of the batch, heads, tokens, d) each."""
    rows, heads, queries, _ = query.shape
    return rows, heads, queries, key.shape[2]


@contextmanager
def paused(watcher: Watcher) -> Iterator[None]:
    """The taps see nothing of what happens inside."""
    watcher.paused = True
    try:
        yield
    finally:
        watcher.paused = False


def mask_of(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    given: Any,
    keywords: dict[str, Any],
    implementation: str,
    anatomy: Anatomy = KNOWN,
) -> Mask:
    """The mask that this implementation applies.

    Under eager a missing mask means none. A fused kernel makes a missing mask causal when the
    call or the module says so and there is more than one query: SDPA counts keys from the upper
    left, flash from the lower right. Flex has its triangle in the mask alone.
    """
    queries, keys = int(query.shape[2]), int(key.shape[2])
    flash = "flash" in implementation
    masked = given is not None or implementation in UNMASKED
    asked = setting(anatomy.causal, keywords, module)
    causal = True if asked is None else bool(asked)
    fused = (flash or not masked) and queries > 1
    return Mask(
        given=given,
        queries=queries,
        keys=keys,
        causal=fused and causal,
        shift=keys - queries if flash else 0,
        window=argument(anatomy.window, keywords) if flash else None,
    )
