"""Texts that could break a picture or a terminal pass through as harmless characters."""

from __future__ import annotations

import contextlib
import io
import re
import unicodedata
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from attnviz.cli.app import run
from attnviz.cli.source import LoadRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from attnviz.models.loaded import LoadedModel
    from tests.cli.conftest import Result

ODD = {
    "controls": "a\x00b\x07c\x7fd\x9be",
    "escapes": "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b[2J",
    "markup": "[/INST] [red]x[/red] [bold]",
    "emoji names": ":smile: :warning:",
    "mathtext": "$x_y^$ \\frac{1}{2} $",
    "joined emoji": "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪",
    "wide": "你好世界 こんにちは 한국어",
    "right to left": "שלום \u202eevil\u202c مرحبا \u200f",
    "combining": "e\u0301 a\u0308\u0323 Z̸̢̛a̷l̶g̵o \u0301",
    "lone surrogates": "a\ud83db\udc00",
    "separators": "a\u2028b\u2029c\u0085d\r\ne\tf",
    "invisible": "a\u200bb\u00adc\ufeffd\u3164",
    "unassigned": "\U000e0fff \U0010ffff \ufffe",
    "spaces": "   ",
    "newlines": "\n\n",
}
CODES = re.compile(r"\x1b\[[0-9;]*m")
SNIPPETS = st.one_of(
    st.text(st.characters(), min_size=1, max_size=12),
    st.sampled_from([*ODD.values(), "the cat", "not good", " ", "-1", "0-3", "#2", "a" * 30]),
)
TEXTS = st.lists(SNIPPETS, min_size=1, max_size=4).map("".join)
VIEWS = st.sampled_from(["auto", "map", "table", "grid", "heads"])
SELECTIONS: list[list[str]] = [
    [],
    ["--head", "L1H2"],
    ["--layer", "0"],
    ["--query", "0"],
    ["--query", "-1", "--key", "0"],
    ["--head", "3"],
]
FLAGS = ["--words", "--hide-special", "--renormalize", "--ascii"]
SCALES = ["linear", "sqrt", "log", "row", "rank"]


def assert_harmless(out: str, width: int) -> None:
    """Nothing that a terminal would obey, and no line wider than asked."""
    bad = [
        char
        for char in out
        if char != "\n"
        and (unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in "\u202e\u202c\u200f")
    ]
    assert bad == []
    assert max(map(cell_len, out.split("\n"))) <= width


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("model", ["gpt2", "sample:sentiment", "t5"])
def test_odd_texts(
    call: Callable[..., Result], folder: Callable[[str], Path], name: str, model: str
) -> None:
    path = model if ":" in model else folder(model)
    for width in (30, 120):
        for options in ([], ["--words"], ["--view", "grid", "--ascii"]):
            asked = ["inspect", ODD[name], "-m", path, "--width", width, "-q", *options]
            result = call(*asked)
            if model == "sample:sentiment" and not ODD[name].strip():
                assert (result.code, result.out) == (1, "")
                assert "makes no tokens of the text" in result.err
                continue
            assert (result.code, result.err) == (0, "")
            assert_harmless(result.out, width)


@pytest.mark.parametrize("name", ODD)
def test_odd_texts_in_files(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path, name: str
) -> None:
    asked = ["inspect", ODD[name], "-m", folder("gpt2")]
    for suffix in ("txt", "json", "csv", "safetensors"):
        answer(*asked, "-o", tmp_path / f"out.{suffix}")
    (tmp_path / "out.json").read_text(encoding="utf-8")
    saved = tmp_path / "out.safetensors"
    assert answer("inspect", saved) == answer(*asked)


def test_odd_texts_of_a_file(
    answer: Callable[..., str], folder: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "odd.txt"
    lines = [text for text in ODD.values() if text.isprintable() and text.strip()]
    path.write_text("\n".join([*lines, "\x1b[31mred"]), encoding="utf-8")
    out = answer("inspect", "--texts", path, "-m", folder("gpt2"), "--width", 40)
    assert_harmless(out, 40)


def test_tokens_print_as_themselves(answer: Callable[..., str]) -> None:
    text = "[red] :smile: $x_y$ [/INST]"
    out = answer("inspect", text, "-m", "sample:sentiment", "--json")
    assert text in out


@pytest.fixture(scope="module")
def ready(loaded: Callable[[str], LoadedModel]) -> dict[str, LoadedModel]:
    """The models of the property, loaded once."""
    from attnviz.models.load import load

    return {
        "gpt2": loaded("gpt2"),
        "t5": loaded("t5"),
        "sentiment": load("sample:sentiment", offline=True),
    }


@pytest.mark.slow
def test_any_text_passes(ready: dict[str, LoadedModel], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LoadRequest, "load", lambda self, talk: ready[self.name or ""])

    @settings(
        max_examples=1000, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    @given(
        text=TEXTS,
        model=st.sampled_from(sorted(ready)),
        width=st.integers(20, 200),
        view=VIEWS,
        selection=st.sampled_from(SELECTIONS),
        flags=st.lists(st.sampled_from(FLAGS), unique=True),
        scale=st.sampled_from(SCALES),
        color=st.sampled_from(["never", "always"]),
    )
    def check(
        text: str, model: str, width: int, view: str, selection: list[str], flags: list[str],
        scale: str, color: str,
    ) -> None:  # fmt: skip
        if text == "-" or text.endswith(".safetensors"):
            return
        options: list[Any] = ["--width", width, "--view", view, "--scale", scale, "--color", color]
        asked = ["inspect", "-q", "-m", model, "--truncate", *map(str, options)]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*asked, *selection, *flags, "--", text])
        event(f"exit code {code}")
        if code:
            assert (code, out.getvalue()) == (1, "")
            assert err.getvalue().startswith("error: ")
            return
        plain = CODES.sub("", out.getvalue()) if color == "always" else out.getvalue()
        assert_harmless(plain, width)

    check()
