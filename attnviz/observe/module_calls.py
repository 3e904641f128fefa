"""Which module is running: the path of every call, found while the model runs."""

from __future__ import annotations

import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import torch
from torch import nn

from attnviz.models.anatomy.calls import argument
from attnviz.models.anatomy.counts import head_counts
from attnviz.models.anatomy.names import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from attnviz.models.anatomy.names import Anatomy

EVALUATED = {"training": False, "_compiled_call_impl": None}


def asks_others(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether torch's own multi-head attention was handed keys that are not its queries."""
    if not isinstance(module, nn.MultiheadAttention):
        return False
    given = dict(zip(("query", "key"), args, strict=False)) | kwargs
    return given.get("query") is not given.get("key")


@dataclass
class Running:
    """One module that is being called.

    `invocation` numbers the calls, `caller` is the call that this one is made from; `crosses` is
    true when it was handed the states of another sequence. `named` are its keyword arguments.
    """

    module: nn.Module
    path: str
    invocation: int
    caller: int
    crosses: bool
    named: Mapping[str, Any] = field(default_factory=dict)


class ModuleWalk:
    """The stack of modules being called, kept up to date by hooks.

    A module that is registered under several names (shared layers) gets the name that lies below
    the module that calls it. Calls in other threads than the one that watches are not counted.
    """

    def __init__(self, model: nn.Module, anatomy: Anatomy = KNOWN) -> None:
        self.model = model
        self.anatomy = anatomy
        self.stack: list[Running] = []
        self._thread = threading.get_ident()
        self._invocations = 0
        self._names: dict[int, list[str]] = {}
        for name, module in model.named_modules(remove_duplicate=False):
            self._names.setdefault(id(module), []).append(name)

    @property
    def names(self) -> list[str]:
        """Every module path of the model."""
        return [name for names in self._names.values() for name in names]

    def current(self, module: nn.Module | None = None) -> Running | None:
        """The running call of `module`, or the innermost running call."""
        if module is None:
            return self.stack[-1] if self.stack else None
        return next((one for one in reversed(self.stack) if one.module is module), None)

    def around(self, running: Running) -> list[nn.Module]:
        """The module of a running call, and the one that called it."""
        place = self.stack.index(running)
        return [one.module for one in reversed(self.stack[max(0, place - 1) : place + 1])]

    def head_counts(self) -> Iterator[int]:
        """The numbers of heads that the running modules and their configs tell of."""
        for running in reversed(self.stack):
            yield from head_counts(running.module, self.anatomy)

    @contextmanager
    def watch(self) -> Iterator[ModuleWalk]:
        """Hooks on every module for as long as the context is open."""
        with ExitStack() as exit_stack:
            for module in self.model.modules():
                pre = module.register_forward_pre_hook(self._enter, with_kwargs=True, prepend=True)
                post = module.register_forward_hook(self._leave, always_call=True)
                exit_stack.callback(pre.remove)
                exit_stack.callback(post.remove)
            yield self

    def _enter(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
    ) -> None:
        """Another thread may be calling the module while the hook is removed: without kwargs."""
        if threading.get_ident() != self._thread or kwargs is None:
            return
        if module is self.model:
            self.stack.clear()
        self._invocations += 1
        crosses = argument(self.anatomy.other_sequence, kwargs) is not None
        crosses = crosses or asks_others(module, args, kwargs)
        caller = self.stack[-1].invocation if self.stack else 0
        path = self._path(module)
        self.stack.append(Running(module, path, self._invocations, caller, crosses, kwargs))

    def _leave(self, module: nn.Module, args: object, output: torch.Tensor) -> None:
        if threading.get_ident() != self._thread:
            return
        while self.stack:
            if self.stack.pop().module is module:
                return

    def _path(self, module: nn.Module) -> str:
        names = self._names.get(id(module), [""])
        if len(names) > 1:
            for parent in reversed(self.stack):
                below = [n for n in names if n.startswith(f"{parent.path}.")]
                if below:
                    return below[0]
        return names[0]


_locks: WeakKeyDictionary[nn.Module, threading.RLock] = WeakKeyDictionary()
_new_lock = threading.Lock()


@contextmanager
def alone(model: nn.Module) -> Iterator[None]:
    """No other thread watches the model while the context is open: it waits for its turn.

    Hooks and the eval mode belong to the model, not to a thread.
    """
    with _new_lock:
        lock = _locks.setdefault(model, threading.RLock())
    with lock:
        yield


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Every module in eval mode and no gradients while the context is open; then as it was.

    A module that was compiled runs as it is written: what is fused cannot be observed.
    """
    was = [
        (module, name, getattr(module, name, None))
        for module in model.modules()
        for name in EVALUATED
        if getattr(module, name, None)
    ]
    for module, name, _ in was:
        setattr(module, name, EVALUATED[name])
    try:
        with torch.no_grad():
            yield
    finally:
        for module, name, value in was:
            setattr(module, name, value)
