"""Where a model comes from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

# Folder names that say nothing of the model inside: the folder above is shown with them.
PLAIN_FOLDERS = ("model", "checkpoint", "final", "best", "last", "output", "weights")


@dataclass(frozen=True)
class Source:
    """One place to load from: `name` is what was asked for, `path_or_id` what is opened.

    `file` is the one file there that holds the model (GGUF); empty where the folder does.
    """

    kind: Literal["hub", "local", "sample"]
    name: str
    path_or_id: str
    file: str = ""

    @property
    def display(self) -> str:
        """The short name for titles: the repository, the folder or the file."""
        if self.file:
            return Path(self.file).name
        if self.kind == "sample":
            return self.name.removeprefix("sample:")
        parts = [part for part in Path(self.path_or_id).resolve().parts if part != "/"]
        if self.kind == "hub" or not parts:
            return self.path_or_id.rsplit("/", 1)[-1]
        plain = parts[-1].lower().startswith(PLAIN_FOLDERS) and len(parts) > 1
        return "/".join(parts[-2:]) if plain else parts[-1]
