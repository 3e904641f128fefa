"""How views are drawn: a table for each renderer, from the type of a view to its drawing."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Generic, TypeVar

from attnviz.errors import UsageError
from attnviz.plugins import load_plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

D = TypeVar("D")
F = TypeVar("F")
VIEWS = "attnviz.views."


class Drawings(Generic[D]):
    """The drawings of one renderer, whose modules lie in the package `home`.

    A view of the module `attnviz.views.….NAME` is drawn in `home.NAME`, which is imported when the
    first one is drawn; drawings of other views come from plug-ins. `refused` holds, by the names of
    their types, message and hint for views that the renderer cannot draw.
    """

    def __init__(self, home: str, refused: Mapping[str, tuple[str, str]]) -> None:
        self.home = home
        self.refused = refused
        self.table: dict[type, D] = {}

    def draws(self, *views: type) -> Callable[[F], F]:
        """Register a function or class as the drawing of these types of views."""

        def register(drawing: F) -> F:
            self.table.update(dict.fromkeys(views, drawing))  # type: ignore[arg-type]
            return drawing

        return register

    def of(self, view: object) -> D:
        """The drawing of a view. Raises UsageError for one that this renderer cannot draw."""
        for _ in self.sources(type(view)):
            for kind in type(view).__mro__:
                if kind in self.table:
                    return self.table[kind]
        name = type(view).__name__
        renderer = self.home.rpartition(".")[2]
        unknown = (f"{name} has no drawing in {renderer}", "choose another --view or format")
        raise UsageError(*self.refused.get(name, unknown))

    def sources(self, kind: type) -> Iterator[None]:
        """Import, one after the other, what may draw views of this type: first nothing at all."""
        yield
        if kind.__module__.startswith(VIEWS):
            sibling = f"{self.home}.{kind.__module__.rpartition('.')[2]}"
            if find_spec(sibling) is not None:
                import_module(sibling)
                yield
        load_plugins()
        yield
