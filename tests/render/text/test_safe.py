import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from attnviz.render.text.safe import display, fit, visible

FORBIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        (" the", "the"),
        ("▁the", "the"),
        ("Ġgantija", "Ġgantija"),
        ("  ", "␣␣"),
        ("\n", "⏎"),
        ("\x1b[31mred", "␛[31mred"),
        ("\x07\x9b", "\\x07\\x9b"),
        ("\ud83d", "\\ud83d"),
        ("\u202eabc", "<U+202E>abc"),
        ("a\u200bb", "a<U+200B>b"),
        ("\u0301", "◌\u0301"),
        ("e\u0301", "é"),
        ("👨\u200d👩", "👨<U+200D>👩"),
        ("🇩🇪", "<U+1F1E9><U+1F1EA>"),
        ("\ue000", "<U+E000>"),
        ("[/INST]", "[/INST]"),
        ("$x_y$", "$x_y$"),
        (":smile:", ":smile:"),
        ("[red]x", "[red]x"),
        ("你好", "你好"),
        ("مرحبا", "مرحبا"),
        ("▁", "␣"),
        ("", ""),
    ],
)
def test_tokens_print_as_themselves_or_spelled_out(label, shown):
    assert display(label) == shown


@given(st.text(st.characters()), st.integers(0, 24), st.booleans())
def test_nothing_that_moves_the_cursor_or_hides_gets_through(label, width, ascii_only):
    shown = display(label, ascii_only)
    assert not {unicodedata.category(char) for char in shown} & set(FORBIDDEN)
    assert cell_len(fit(shown, width)) <= width
    assert not label or shown
    assert shown.isascii() or not ascii_only


@given(st.text(st.characters()))
def test_the_width_of_a_label_is_that_of_its_characters(label):
    shown = display(label)
    assert cell_len(shown) == sum(cell_len(char) for char in shown)


@pytest.mark.parametrize(
    ("text", "width", "cut"),
    [("notebook", 6, "noteb…"), ("你好吗", 5, "你好…"), ("你好吗", 4, "你…"), ("ab", 2, "ab"),
     ("ab", 0, ""), ("ab", 1, "…")],
)  # fmt: skip
def test_labels_are_cut_by_cells(text, width, cut):
    assert fit(text, width) == cut


@given(st.text(st.characters(codec=None)))
def test_visible_text_keeps_its_lines_and_letters(text):
    shown = visible(text)
    assert shown.replace("\n", "").replace("\t", "").isprintable()
    assert (shown.count("\n"), shown.count("\t")) == (text.count("\n"), text.count("\t"))
    if text.replace("\n", "").replace("\t", "").isprintable():
        assert shown == text


def test_visible_controls():
    assert visible(' "\x1b[0m\x9b\x7f\r\x00"\n') == ' "␛[0m\\x9b\\x7f\\r\\x00"\n'
