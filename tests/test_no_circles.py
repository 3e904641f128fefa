"""No module imports itself by way of others, not even for its types."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "attnviz").rglob("*.py")
}
# What shows itself knows, for its types, what it is shown by.
UPWARD = {
    "attnviz.attention.capture": {"attnviz.render.image.style", "attnviz.views.appearance"},
    "attnviz.views.answer": {"attnviz.render.image.style"},
}


def imported(path: Path) -> set[str]:
    """The modules of attnviz that a module imports when it is read, or for its types."""
    found: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{name.name}" for name in node.names} & set(MODULES)
            found |= inner or {node.module} & set(MODULES)
        elif not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            waiting.extend(ast.iter_child_nodes(node))
    return found


def test_there_is_no_circle() -> None:
    graph = {
        name: imported(path) - {name, "attnviz"} - UPWARD.get(name, set())
        for name, path in MODULES.items()
    }
    assert sum(map(len, graph.values())) > 800
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))
