"""Whose attention is it? The stack and the layer of a call, from its module path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.models.anatomy.names import KNOWN
from attnviz.models.anatomy.paths import has_slots, role_of, side_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from attnviz.models.anatomy.names import Anatomy

NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)|^\d+(?=\.|$)")
MODALITIES = ("vision", "audio")


@dataclass
class Place:
    """Where one invocation of an attention module belongs.

    `pattern` is the path with its numbers replaced, `role` what the stack attends over, `order`
    the place among the invocations of the pattern in this forward, `layer` the number to show.
    `of_text` says that its queries may be tokens of the text, `in_encoder` that the module belongs
    to an encoder, as cross attention to pictures may.
    """

    path: str
    pattern: str
    role: str
    order: int
    layer: int
    of_text: bool = True
    in_encoder: bool = False


def pattern_of(path: str) -> tuple[str, tuple[int, ...]]:
    """The path with `*` for its numbers, and the numbers."""
    return NUMBER.sub("*", path), tuple(int(n) for n in NUMBER.findall(path))


class Places:
    """Gives every invocation its place.

    The layer is the path's number where one number tells the modules of a pattern apart, so that
    the attention of a hybrid model at blocks 4 and 9 is L4 and L9. Where none or several vary, or
    where a module runs more than once in a forward (ALBERT), it is the order of invocation.
    """

    def __init__(
        self, module_paths: Iterable[str], *, encoder_decoder: bool, anatomy: Anatomy = KNOWN
    ) -> None:
        self.encoder_decoder = encoder_decoder
        self.anatomy = anatomy
        self.seen: list[Place] = []
        self._numbers: dict[str, list[tuple[int, ...]]] = {}
        self._by_order: set[str] = set()
        for path in module_paths:
            pattern, numbers = pattern_of(path)
            self._numbers.setdefault(pattern, []).append(numbers)

    def place(self, path: str, *, crosses: bool) -> Place:
        """The place of the next invocation of the module at `path`."""
        pattern, numbers = pattern_of(path)
        role = self.role(path, crosses=crosses)
        earlier = [p for p in self.seen if p.pattern == pattern and p.role == role]
        if any(p.path == path for p in earlier):
            self._by_order.add(pattern)
            for p in earlier:
                p.layer = p.order
        order = len(earlier)
        place = Place(
            path,
            pattern,
            role,
            order,
            layer=self._layer(pattern, numbers, order),
            of_text=role not in MODALITIES and not has_slots(path, self.anatomy),
            in_encoder=side_of(path, self.anatomy) == "encoder",
        )
        self.seen.append(place)
        return place

    def role(self, path: str, *, crosses: bool) -> str:
        """`self`, `encoder`, `decoder`, `cross`, or a modality."""
        if crosses:
            return "cross"
        return role_of(path, self.anatomy, encoder_decoder=self.encoder_decoder)

    def _layer(self, pattern: str, numbers: tuple[int, ...], order: int) -> int:
        if pattern in self._by_order or not numbers:
            return order
        everywhere = self._numbers.get(pattern, [numbers])
        varying = [i for i in range(len(numbers)) if len({n[i] for n in everywhere}) > 1]
        if len(varying) > 1:
            self._by_order.add(pattern)
            return order
        return numbers[varying[0] if varying else 0]

    def stack_names(self) -> dict[tuple[str, str], str]:
        """The stack of every (role, pattern): the role, or a longer name where layers collide.

        No two stacks share a name unless their layers complement each other under one role.
        """
        groups: dict[str, dict[str, set[int]]] = {}
        for p in self.seen:
            groups.setdefault(p.role, {}).setdefault(p.pattern, set()).add(p.layer)
        names: dict[tuple[str, str], str] = {}
        for role, patterns in groups.items():
            shown = "text" if role == "self" and not groups.keys().isdisjoint(MODALITIES) else role
            layers = [layer for found in patterns.values() for layer in found]
            collide = len(layers) != len(set(layers))
            for pattern in patterns:
                names[role, pattern] = distinct(pattern, patterns) if collide else shown
                if collide and role == "cross" and "cross" not in names[role, pattern]:
                    names[role, pattern] += ".cross"
        return unambiguous(names)


def unambiguous(names: dict[tuple[str, str], str]) -> dict[tuple[str, str], str]:
    """The names, with the role behind those that stacks of several roles would share."""
    roles: dict[str, set[str]] = {}
    for (role, _), name in names.items():
        roles.setdefault(name, set()).add(role)
    return {key: f"{name}.{key[0]}" if len(roles[name]) > 1 else name
            for key, name in names.items()}  # fmt: skip


def distinct(pattern: str, patterns: Iterable[str]) -> str:
    """The parts of a path pattern that the other patterns do not have, joined by dots."""
    others = [set(p.split(".")) for p in patterns if p != pattern]
    own = [part for part in pattern.split(".") if not all(part in other for other in others)]
    return ".".join(own) or pattern
