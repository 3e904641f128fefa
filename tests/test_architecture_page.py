"""docs/architecture.md names only what exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def test_folders_and_files_exist() -> None:
    rows = re.findall(r"^\| `([\w./]+)` \|", PAGE, re.MULTILINE)
    assert len(rows) > 15
    assert [name for name in rows if not (ROOT / "attnviz" / name).exists()] == []
    there = {path.name for path in (ROOT / "attnviz").iterdir()
             if not path.name.startswith("__") and path.name != "py.typed"}  # fmt: skip
    assert {name.rstrip("/") for name in rows} == there


def test_paths_in_the_text_exist() -> None:
    paths = set(re.findall(r"`((?:\w+/)+(?:\w+\.py)?)`", PAGE))
    places = (ROOT, ROOT / "attnviz", ROOT / "docs")
    missing = [path for path in paths if not any((place / path).exists() for place in places)
               and not re.match(r"heads/|maps/|compare/|steps/|terminal/|image/|data/|text/|store/|"
                                r"find/|anatomy/|taps/|masks/|sources/|checks/|recurrent/|commands/|"
                                r"options/", path)]  # fmt: skip
    assert missing == []


def test_modules_in_the_text_exist() -> None:
    """A dotted name such as `runs.retain.Keeper` leads to a module."""
    for name in set(re.findall(r"`([a-z_]+(?:\.\w+)+)`", PAGE)):
        first = name.split(".")[0]
        if name.endswith((".md", ".py")) or not (ROOT / "attnviz" / first).is_dir():
            continue
        parts = name.split(".")
        found = [ROOT / "attnviz" / "/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        assert any(path.with_suffix(".py").exists() for path in found) or found[-1].is_dir(), name
