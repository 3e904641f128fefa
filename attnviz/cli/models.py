"""`attnviz models`: the bundled samples, and what is in the local cache."""

from __future__ import annotations

import json
import sys

from attnviz.cli import options as o


def models(json_: o.Json = False) -> None:
    """List the models that need no download: bundled samples and the local Hub cache."""
    from attnviz.cli.output import print_line
    from attnviz.models.cache import cached_models
    from attnviz.models.samples import samples

    bundled, cached = samples(), cached_models()
    if json_:
        found = {
            "samples": [{"name": s.name, "description": s.description} for s in bundled],
            "cached": [c.name for c in cached],
        }
        sys.stdout.write(json.dumps(found) + "\n")
        return
    print_line("Bundled samples", sys.stdout)
    for sample in bundled:
        print_line(f"  {sample.name}  {sample.description}", sys.stdout)
        print_line(f"    {sample.command}", sys.stdout)
    print_line("In the local cache", sys.stdout)
    for one in cached:
        print_line(f"  {one.name}", sys.stdout)
    if not cached:
        print_line("  none: hf download MODEL fetches one", sys.stdout)
