"""docs/api.md: every public name has a section, and every example does what it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import attnviz

PAGE = Path(__file__).parents[1] / "docs" / "api.md"


def test_every_name_has_a_section() -> None:
    sections = re.findall(r"^## (\w+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(sections) == sorted(attnviz.__all__)


def test_the_examples_run(tmp_path: Path) -> None:
    failed, tried = doctest.testfile(
        str(PAGE), module_relative=False, globs={"folder": tmp_path}, encoding="utf-8"
    )
    assert tried > 30
    assert not failed
