"""docs/metrics.md defines every score, and whatever points there finds what it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from attnviz.metrics.about import SCORES
from attnviz.runs.repeated_tokens import PREFIX_MATCHING
from attnviz.views.heads.score_matrix import EDGE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^##+ (.+)$", re.MULTILINE)
POINTER = re.compile(r"docs/metrics\.md, ([^).;:,\n]+)")
NAMED = sorted({*SCORES, PREFIX_MATCHING, EDGE})


def sections() -> dict[str, str]:
    """What stands under each heading, up to the next one, by the heading in small letters."""
    _, *parts = HEADING.split(PAGE)
    names = [heading.replace("`", "").lower() for heading in parts[::2]]
    assert len(names) == len({*names}), "a heading stands twice"
    return dict(zip(names, parts[1::2], strict=True))


def texts(*folders: str) -> dict[str, str]:
    """The sources and pages in these folders, by their path."""
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*")))
    kept = (path for path in found if path.suffix in (".py", ".md") and path != Path(__file__))
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in kept}


@pytest.mark.parametrize("name", NAMED)
def test_every_score_is_defined(name: str) -> None:
    section = sections()[name]
    assert re.search(r"^    \S", section, re.MULTILINE), "no formula"
    for part in ("Edges", "Source", "Oracle"):
        assert f"- {part}: " in section


def test_oracles_name_tests_that_exist() -> None:
    named = set(re.findall(r"`(tests/[^`]+)`", PAGE))
    assert len(named) > 10
    assert not [path for path in named if not (ROOT / path).is_file()]


def test_pointers_name_headings() -> None:
    known, found = sections(), []
    for path, text in texts("attnviz", "tests", "docs", "benchmarks").items():
        found += [(path, name.strip()) for name in POINTER.findall(text)]
    assert len(found) > 20
    assert not [(path, name) for path, name in found if name.lower() not in known]


def test_links_within_the_page_lead_to_headings() -> None:
    anchors = {name.replace(" ", "-") for name in sections()}
    assert not {*re.findall(r"\]\(#([^)]+)\)", PAGE)} - anchors


def test_nothing_cites_a_page_that_is_not_here() -> None:
    absent = "METRICS" + ".md"
    assert not [path for path, text in texts("attnviz", "tests", "docs", "benchmarks").items()
                if absent in text]  # fmt: skip
