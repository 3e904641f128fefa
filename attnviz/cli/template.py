"""Names of output files with places in them: `out/{stack}-L{layer}.png`."""

from __future__ import annotations

import string
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.cli.writing import STDOUT, writable
from attnviz.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from attnviz.attention.capture import Capture
    from attnviz.attention.selection import Selection
    from attnviz.views.appearance import Appearance

FIELDS = ("model", "stack", "layer", "head", "index")


@dataclass(frozen=True, slots=True)
class Template:
    """A path whose `{layer}` and other places are filled for every file; or a plain path."""

    text: str

    @property
    def fields(self) -> set[str]:
        """The places that the name has. Raises UsageError for unknown ones."""
        try:
            parts = list(string.Formatter().parse(self.text))
        except ValueError as error:
            raise UsageError(f"-o {self.text}: {error}", "write {{ and }} for braces") from None
        found = {name for _, name, _, _ in parts if name is not None}
        if found - set(FIELDS) or any(spec or conversion for _, _, spec, conversion in parts):
            places = ", ".join(f"{{{field}}}" for field in FIELDS)
            raise UsageError(
                f"-o {self.text}: there are the places {places}", "write {{ and }} for braces"
            )
        return found

    @property
    def suffix(self) -> str:
        """The kind of file, without the dot and in small letters."""
        return Path(self.text).suffix.removeprefix(".").lower()

    @property
    def printed(self) -> bool:
        """Whether it is standard output."""
        return self.text == STDOUT

    def check(self, *, several: bool, filled: tuple[str, ...] = FIELDS) -> None:
        """Raise UsageError when one file would hold many texts, or the name has a place that is
        not filled; OutputError where the file cannot be made.
        """
        for name in FIELDS:
            if name in self.fields and name not in filled:
                places = ", ".join(f"{{{field}}}" for field in filled) or "no places"
                raise UsageError(
                    f"-o {self.text}: nothing fills {{{name}}} here", f"there are {places}"
                )
        if several and "index" not in self.fields:
            raise UsageError("-o holds one text, --texts gives many", "put {index} into the name")
        if not self.fields and not self.printed:
            writable(self.path())

    def require_suffix(self, kinds: tuple[str, ...], instead: str = "") -> None:
        """Raise UsageError for another kind; `instead` says where such files come from."""
        if self.suffix not in kinds:
            shown = f".{self.suffix}" if self.suffix else "no suffix"
            there = f"it writes {' '.join(f'.{kind}' for kind in kinds)}"
            raise UsageError(
                f"-o {self.text}: {shown} is no format that attnviz writes here",
                f"{there}; {instead}" if instead else there,
            )

    def path(self, **values: object) -> Path:
        """The path with its places filled; a slash in a value does not make a folder."""
        safe = {name: str(values.get(name, "")).replace("/", "_") for name in FIELDS}
        return Path(self.text.format(**safe))

    def files(
        self, capture: Capture, selection: Selection, appearance: Appearance, index: int
    ) -> Iterator[tuple[Path, Selection]]:
        """Every file that the name stands for, with the part of the selection that goes into it."""
        from attnviz.views.request import request

        fields = self.fields
        names = [capture.stack(selection.stack).name]
        if "stack" in fields and selection.stack is None:
            names = list(capture.stacks)
        for name in names:
            part = replace(selection, stack=name if "stack" in fields else selection.stack)
            common = {"model": capture.model.name, "stack": name, "index": index}
            if not {"layer", "head"} & fields:
                yield self.path(**common), part
                continue
            groups: dict[tuple[object, ...], list[tuple[int, int]]] = {}
            for layer, head in request(capture, part, appearance).pairs:
                place = tuple(n for f, n in (("layer", layer), ("head", head)) if f in fields)
                groups.setdefault(place, []).append((layer, head))
            for pairs in groups.values():
                layer, head = pairs[0]
                one = replace(part, layers=(), heads=(), pairs=tuple(pairs))
                yield self.path(**common, layer=layer, head=head), one
