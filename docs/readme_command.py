"""Prints the README's command marked `<!-- NAME -->`, as it stands there."""

from __future__ import annotations

import re
import sys
from pathlib import Path


def command(name: str) -> str:
    """The first code block after the mark."""
    text = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->\n+```\w*\n(.*?)```", text, re.DOTALL)
    if found is None:
        raise SystemExit(f"README.md has no command marked {name}")
    return found[1]


if __name__ == "__main__":
    print(command(sys.argv[1]), end="")
