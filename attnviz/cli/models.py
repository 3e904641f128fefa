"""`attnviz models`: the bundled samples, and what is in the local cache."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from attnviz.cli import options as o

if TYPE_CHECKING:
    from attnviz.models.cache import CachedModel


def models(json_: o.Json = False) -> None:
    """List the models that need no download."""
    from attnviz.cli.output import print_line
    from attnviz.models.cache import cached_models
    from attnviz.models.samples import samples

    bundled, cached = samples(), cached_models()
    if json_:
        found = {
            "samples": [
                {"name": f"sample:{s.name}", "description": s.description, "command": s.command}
                for s in bundled
            ],
            "cached": [asdict(one) for one in cached],
        }
        sys.stdout.write(json.dumps(found) + "\n")
        return
    print_line("Bundled samples", sys.stdout)
    for line in aligned([[f"sample:{s.name}", s.description] for s in bundled]):
        print_line(line, sys.stdout)
    print_line("\nIn the local cache", sys.stdout)
    for line in aligned([row(one) for one in cached]):
        print_line(line, sys.stdout)
    if not cached:
        print_line("  none yet: hf download MODEL, or any command with -m MODEL", sys.stdout)
    if bundled:
        print_line(f"\nTry: {bundled[0].command}", sys.stdout)


def row(one: CachedModel) -> list[str]:
    """The name, class and size of a cached model, for people."""
    return [one.name, one.architecture or "-", f"{one.size / 1e6:.1f} MB"]


def aligned(rows: list[list[str]]) -> list[str]:
    """The rows as indented lines whose columns stand under each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  " + "  ".join(f"{cell:<{n}}" for cell, n in zip(one, widths, strict=True)).rstrip()
        for one in rows
    ]
