"""What others add to attnviz: modules that register views, drawings, scores and commands."""

from __future__ import annotations

from functools import cache

GROUP = "attnviz.plugins"


@cache
def load_plugins() -> None:
    """Import the module of every entry point of the group, once; importing one registers.

    Called only when a name or a type is not built in, so that plug-ins cost nothing until then.
    """
    from importlib.metadata import entry_points

    for plugin in entry_points(group=GROUP):
        plugin.load()
