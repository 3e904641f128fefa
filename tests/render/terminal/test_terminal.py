import io
import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.color import Color, ColorSystem

from attnviz.attention.capture import AttentionStack, Capture, Check, Prediction
from attnviz.attention.selection import Selection
from attnviz.render.terminal.canvas import Canvas, Depth, Line
from attnviz.render.terminal.cells import MARKS, CellPainter, CellShape
from attnviz.render.terminal.console import is_ascii, make_console
from attnviz.render.terminal.head_screen import fitted_map
from attnviz.render.terminal.map_lines import index_line, label_width, row_label
from attnviz.render.terminal.picture import print_answer
from attnviz.render.terminal.ramps import BLOCKS, LEVELS, RAMPS, colour, glyph, grey
from attnviz.render.text.colour import luminance
from attnviz.views.appearance import Appearance
from attnviz.views.build import build
from attnviz.views.compare.comparison import head_groups
from attnviz.views.maps.heatmap import State, heatmap
from attnviz.views.request import request
from tests.captures import FACTS, axis, capture, layer, translation

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TRUE = {"TERM": "xterm", "COLORTERM": "truecolor"}
DEPTHS = {"truecolor": TRUE, "256": {"TERM": "screen-256color"}, "none": {"TERM": "dumb"}}


def printed(view, width=100, env=None, ascii=False):
    out = io.StringIO()
    color = "never" if env is None or env.get("TERM") == "dumb" else "always"
    print_answer(view, make_console(width, color, ascii, out, env or {}))
    return out.getvalue()


def plain(text):
    return ANSI.sub("", text)


SELECTIONS = (
    {},
    {"layer": "1"},
    {"head": "1"},
    {"head": "L1H1"},
    {"query": "3"},
    {"query": "3", "key": "2"},
    {"query": "1-3"},
)
CAPTURES = {
    "bert": capture(),
    "translation": translation(),
    "pooled": capture(whole=False),
    "causal": capture([f"t{i}" for i in range(12)], causal=True),
    "long": capture([f"token{i}" for i in range(90)], layers=2),
}


@pytest.mark.parametrize("name", CAPTURES)
@pytest.mark.parametrize("view", ["auto", "map", "table", "grid", "heads"])
@pytest.mark.parametrize("depth", DEPTHS)
def test_no_line_is_wider_than_the_screen(name, view, depth):
    for options in SELECTIONS:
        found = build(CAPTURES[name], Selection.parse(**options), view=view)
        for width in (20, 47, 100):
            text = plain(printed(found, width, DEPTHS[depth]))
            assert max(map(cell_len, text.splitlines())) <= width


labels = st.lists(st.text(st.characters(), max_size=6), min_size=1, max_size=9)


@settings(max_examples=60, deadline=None)
@given(labels, st.integers(20, 130), st.sampled_from([*DEPTHS]), st.booleans())
def test_any_tokens_fit_any_width_and_bring_no_controls(tokens, width, depth, ascii):
    text = printed(build(capture(tokens, layers=1)), width, DEPTHS[depth], ascii)
    lines = plain(text).split("\n")
    assert max(map(cell_len, lines)) <= width
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", plain(text))
    assert not ascii or plain(text).isascii()


def test_the_first_screen_in_plain_text():
    text = printed(build(capture()))
    assert text.startswith("tiny-bert  BertModel · 3 layers × 4 heads · 22.7 M · float32 · cpu")
    assert "8 tokens · checked ✓" in text
    assert "sentiment  good 90%   bad 10%" in text
    assert "What each head does" in text
    assert "previous  87" in text
    assert "attends to" in text
    assert "cells in %, the largest is 0.74, apart from special tokens" in text


def test_map_and_table_share_their_lines():
    text = printed(build(capture(), Selection.parse(head="L0H0")))
    row = next(line for line in text.splitlines() if line.startswith("3 sat"))
    assert row.split() == ["3", "sat", "99", "cat", ".99", "cat", ".99", "L0H0"]


def test_failed_checks_are_named_in_the_heading():
    broken = replace(
        capture(), checks=(Check("row sums", False, "0.2 to 1"), Check("finite", True))
    )
    text = printed(build(broken))
    assert "CHECK FAILED: row sums 0.2 to 1" in text.replace("\n", " ")
    assert "checked ✓" not in text


def test_the_heading_says_what_the_run_kept_where_that_is_known():
    planned = replace(capture(), plan={"line": "whole maps 3.0 KiB"})
    assert "8 tokens · whole maps 3.0 KiB · checked ✓" in " ".join(printed(build(planned)).split())
    assert "8 tokens · checked ✓" in printed(build(replace(planned, plan={"budget": 1})))
    screen = build(planned)
    several = replace(screen, facts=replace(screen.facts, texts=5))
    assert "whole maps" not in printed(several)


def test_the_heading_keeps_numbers_with_their_units():
    planned = replace(capture(), plan={"line": "whole maps 3.0 KiB"})
    for width in range(24, 110):
        heading = printed(build(planned), width).split("\nsentiment")[0]
        for words in ("3 layers", "4 heads", "22.7 M", "8 tokens", "3.0 KiB"):
            assert words in heading
        assert "\u00a0" not in heading


def test_an_absent_prediction_says_why():
    bare = replace(capture(), prediction=Prediction(note="this model has no task head"))
    assert "No prediction: this model has no task head." in printed(build(bare))


def test_notes_stand_below_the_picture():
    noted = replace(capture(), notes=("the input was cut at 512 tokens",))
    assert printed(build(noted)).rstrip().endswith("note  the input was cut at 512 tokens")


SPECIAL = axis(["a", "b", "c", "d", "[PAD]"], padding=(False,) * 4 + (True,))


def every_kind():
    weights = np.full((1, 5, 5), 0.25, np.float32)
    weights[0, 1, 0] = 0
    weights[0, 2, 0] = np.nan
    one = heatmap(layer(0, SPECIAL, SPECIAL, weights, causal=True), 0, Appearance())
    states = one.states.copy()
    states[3, 0] = State.CUT
    return replace(one, states=states)


@pytest.mark.parametrize(("width", "row"), [(40, "2 c 100  50  0"), (15, "2 c 10050  0")])
def test_a_full_cell_does_not_touch_the_next_where_there_is_room(width, row):
    tokens = axis(["a", "b", "c"])
    weights = np.zeros((1, 3, 3), np.float32)
    weights[0, 2, :2] = 1.0, 0.5
    one = heatmap(layer(0, tokens, tokens, weights), 0, Appearance())
    lines = list(fitted_map(one, None, Canvas(width, Depth.NONE)))
    assert row in ["".join(text for text, _ in line.parts).rstrip() for line in lines]


@pytest.mark.parametrize("shape", [CellShape("digits", 3), CellShape("shade", 2),
                                   CellShape("shade", 1)])  # fmt: skip
@pytest.mark.parametrize("depth", [Depth.TRUE, Depth.FEW, Depth.NONE])
@pytest.mark.parametrize("ascii", [False, True])
def test_every_kind_of_cell_looks_different(shape, depth, ascii):
    one = every_kind()
    rows = [list(CellPainter(one, Canvas(80, depth, ascii), shape).row(i)) for i in range(5)]
    where = {State.VALUE: (0, 0), State.ZERO: (1, 0), State.NAN: (2, 0), State.CUT: (3, 0),
             State.MASKED: (0, 1), State.PADDED: (4, 0)}  # fmt: skip
    assert {one.states[at] for at in where.values()} == set(State)
    looks = [(text, style.bgcolor) for text, style in (rows[i][j] for i, j in where.values())]
    assert len(set(looks)) == len(State)


def test_half_blocks_keep_the_kinds_apart():
    one = every_kind()
    painter = CellPainter(one, Canvas(80, Depth.TRUE), CellShape("half", 1))
    fills = {painter.background(i, j) for i, j in ((0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (4, 0))}
    assert len(fills) == len(State)
    assert [text for text, _ in painter.row(0)] == ["▌", " ", "▌"]


def test_the_legend_names_the_kinds_that_occur():
    tokens = axis([f"t{i}" for i in range(6)])
    held = Capture(
        FACTS, {"self": AttentionStack("self", {0: layer(0, tokens, tokens, causal=True)})}
    )
    view = build(held, Selection.parse(head="L0H1"))
    assert "· = masked" in printed(view)
    assert "blank = masked" in plain(printed(view, env=TRUE))
    assert "exactly 0" not in printed(view)
    assert "14 shades" in plain(printed(view, env=DEPTHS["256"]))


def test_long_inputs_are_pooled_and_say_so():
    text = plain(printed(build(CAPTURES["long"]), 100, TRUE))
    assert "a cell is up to 2 queries ×" in " ".join(text.split())
    assert "… 70 more queries: --query 0-59 shows a range" in text
    assert len(text.splitlines()) < 100


WINDOW = capture([f"t{i}" for i in range(400)], layers=1)


def window(width, env, **asked):
    asked = {"head": "L0H0"} | asked
    return plain(printed(build(WINDOW, Selection.parse(**asked)), width, env)).splitlines()


@pytest.mark.parametrize(("env", "bands"), [(None, 2), (TRUE, 1)])
def test_a_window_that_was_asked_for_is_drawn_cell_by_cell(env, bands):
    lines = window(80, env, query="300-364", key="0-128")
    for query in range(300, 365):
        assert sum(line.startswith(f"{query} t{query} ") for line in lines) == bands + 1
    said = " ".join(" ".join(lines).split())
    assert "a cell is up to" not in said
    assert "more queries" not in said
    numbers = [line for line in lines if re.fullmatch(r"[ \d]+", line)]
    assert len(numbers) == bands
    assert numbers[-1].endswith("125" if bands == 2 else "120")


def test_keys_that_do_not_fit_stand_below_with_one_legend():
    lines = window(40, None, query="20-22", key="0-70")
    numbers = [line.split() for line in lines if re.fullmatch(r"[ \d]+", line)]
    assert [one[0] for one in numbers] == ["0", "35", "70"]
    first = next(line for line in lines if line.startswith("21 t21 "))
    assert first[7:] == " " * 20 + "█"  # the previous token
    assert sum("linear" in line for line in lines) == 1


def test_too_many_queries_of_a_window_are_pooled_and_a_range_of_them_is_offered():
    lines = window(200, None, query="10-330", key="0-128")
    said = " ".join(" ".join(lines).split())
    assert "a cell is up to 2 queries ×" in said
    assert "… 301 more queries: --query 10-69 shows a range" in said
    short = " ".join(window(200, None, query="10-300"))
    assert "a cell is up to 1 query ×" in short
    assert "more queries" not in short


def test_many_heads_fit_at_any_width():
    tokens = axis(["a", "b", "c"])
    weights = np.full((64, 3, 3), 1 / 3, np.float32)
    by_layer = {n: layer(n, tokens, tokens, weights) for n in range(40)}
    held = Capture(FACTS, {"self": AttentionStack("self", by_layer)})
    view = build(held, view="heads")
    assert len(plain(printed(view, 80, TRUE)).splitlines()) < 30
    assert len(printed(view, 80).splitlines()) < 60


@pytest.mark.parametrize(
    ("width", "cell"), [(100, "previous  87"), (40, "prev"), (22, "pr"), (20, "pr")]
)
def test_heads_are_named_as_fully_as_the_width_allows(width, cell):
    assert cell in printed(build(capture(), view="heads"), width)


def test_the_texts_of_a_pair_are_told_apart():
    pair = axis(["[CLS]", "a", "b", "[SEP]", "c", "[SEP]"], segments=(0, 0, 0, 0, 1, 1))
    held = Capture(FACTS, {"self": AttentionStack("self", {0: layer(0, pair, pair)})})
    text = printed(build(held, Selection.parse(head="L0H1")))
    assert "A ────────" in text
    assert "4 B c" in text


def test_a_query_that_occurs_twice_says_which_it_is():
    held = capture(["[CLS]", "it", "saw", "it", "[SEP]"])
    assert "1 of 2 equal words, see #2" in printed(build(held, Selection.parse(query="it")))


def test_colour_follows_the_environment():
    view = build(capture())
    assert "\x1b[" in printed(view, env=TRUE)
    out = io.StringIO()
    print_answer(view, make_console(80, "auto", False, out, {"FORCE_COLOR": "1", "NO_COLOR": "1"}))
    assert "38;2" not in out.getvalue()
    assert "the largest is 0.74" in out.getvalue()
    assert "\x1b[" not in printed(view)


def test_an_encoding_without_the_glyphs_gets_ascii():
    latin = io.TextIOWrapper(io.BytesIO(), encoding="cp1252")
    console = make_console(80, "never", False, latin, {})
    assert is_ascii(console)
    print_answer(build(translation()), console)
    assert not is_ascii(make_console(80, "never", False, io.StringIO(), {}))


@pytest.mark.parametrize("name", [name for name in RAMPS if name != "diverging"])
def test_ramps_rise_in_lightness(name):
    steps = [luminance(colour(i / 63, name)) for i in range(64)]
    assert all(b > a - 0.004 for a, b in itertools.pairwise(steps))
    assert steps[-1] - steps[0] > 0.5


def test_the_diverging_ramp_is_darkest_at_0_and_blue_below():
    steps = [luminance(colour(i / 64, "diverging")) for i in range(65)]
    assert min(steps) == steps[32]
    assert all(a > b for a, b in itertools.pairwise(steps[:33]))
    assert all(a < b for a, b in itertools.pairwise(steps[32:]))
    for place in (0.0, 0.25):
        red, _, blue = colour(place, "diverging")
        assert blue > red
        red, _, blue = colour(1 - place, "diverging")
        assert red > blue


def test_glyphs_run_over_the_whole_ramp():
    assert [glyph(i / 4, BLOCKS) for i in range(5)] == list(BLOCKS)
    assert glyph(-1, BLOCKS) == " "
    assert glyph(2, BLOCKS) == "█"


def test_prose_is_broken_between_words():
    canvas = Canvas(10, Depth.NONE)
    lines = canvas.prose([("one two ", ""), ("three fourteenletters", "bold")], indent=2)
    text = ["".join(part for part, _ in line.parts) for line in lines]
    assert text[0] == "one two "
    assert all(cell_len(line.rstrip()) <= 10 for line in text)
    assert "".join(text).replace(" ", "") == "onetwothreefourteenletters"


def test_lines_are_cut_and_lose_spaces_at_their_end():
    line = Line("你好吗").add("   ")
    assert "".join(segment.text for segment in line.segments(20)) == "你好吗"
    assert cell_len("".join(segment.text for segment in line.segments(3))) <= 3


def test_marks_have_distinct_glyphs():
    assert len({mark.glyph for mark in MARKS.values()}) == len(MARKS)
    assert len({mark.ascii for mark in MARKS.values()}) == len(MARKS)


def test_256_colours_keep_the_kinds_apart():
    def number(rgb):
        return Color.from_rgb(*rgb).downgrade(ColorSystem.EIGHT_BIT).number

    marks = [number(mark.background) for mark in MARKS.values() if mark.background is not None]
    scale = {number(colour(i / LEVELS)) for i in range(LEVELS + 1)}
    scale |= {number(grey(i / LEVELS)) for i in range(LEVELS + 1)}
    assert len(set(marks)) == len(marks)
    assert 16 not in marks
    assert not scale & set(marks)


@pytest.mark.parametrize("width", [20, 25, 30, 40])
def test_rows_and_indices_start_where_the_cells_do(width):
    held = capture([f"token{i}" for i in range(120)], layers=1, whole=False)
    one = heatmap(held.stacks["self"].by_layer[0], 1, Appearance())
    canvas = Canvas(width, Depth.NONE)
    indent = label_width(one, canvas)
    assert {row_label(one, i, canvas, indent).width for i in range(one.shape[0])} == {indent}
    index = index_line(one, CellShape("shade", 1), indent, width)
    shown = "".join(text for text, _ in index.parts)
    assert cell_len(shown) <= width
    assert set(shown.split()) <= {str(first) for first, _ in one.columns}


def test_a_table_too_narrow_for_the_sink_share_says_so():
    text = printed(build(capture(), Selection.parse(head="L0H1"), view="table"), 20)
    assert "sink share" in " ".join(text.split())
    assert "%" not in text.split("no room")[0].split("attends to")[1]


def test_a_table_without_a_map_says_what_sinks_are_and_what_was_changed():
    appearance = Appearance(renormalize=True)
    text = printed(build(capture(), Selection.parse(head="L0H1"), appearance, "table"), 200)
    assert "weights below 0.05 are not listed" in text
    assert "sink = the share of [CLS] [SEP], which are not listed either" in text
    assert "rows renormalised to 1" in text


def test_bins_that_hold_sinks_are_not_called_special_tokens():
    text = printed(build(capture(whole=False), Selection.parse(head="L0H1"), view="map"), 200)
    assert "apart from columns that hold special tokens" in text
    assert "30 %" not in text


def test_one_legend_for_several_maps_names_what_is_in_any_and_no_one_maps_keys():
    weights = np.full((2, 8, 8), 0.5 / 7, np.float32)
    weights[0, :, 3] = weights[1, :, 4] = 0.5
    weights[1, 2, 2] = np.nan
    weights[0, 2, 5] = 0
    tokens = axis()
    held = Capture(FACTS, {"self": AttentionStack("self", {0: layer(0, tokens, tokens, weights)})})
    text = " ".join(printed(build(held, view="grid"), 200).split())
    assert "special tokens and keys that take over 30 %, off the scale" in text
    assert "0 = exactly 0, ! = not a number" in text


@pytest.mark.parametrize(("scale", "words"), [("rank", "each ranked by itself"),
                                              ("row", "each row on its own scale"),
                                              ("sqrt", "on one scale")])  # fmt: skip
def test_several_maps_claim_one_scale_only_where_they_share_one(scale, words):
    text = printed(build(capture(), appearance=Appearance(scale=scale), view="grid"))
    assert words in text


def test_negative_weights_are_seen():
    tokens = axis([f"t{i}" for i in range(4)])
    weights = np.full((1, 4, 4), 0.4, np.float32)
    weights[0, :, 3] = -0.2
    held = Capture(FACTS, {"self": AttentionStack("self", {0: layer(0, tokens, tokens, weights)})})
    text = printed(build(held, Selection.parse(head="L0H0"), view="map"))
    assert "-20" in text
    assert "weights below 0 look like 0, the least is -0.20" in text


def test_the_strongest_heads_say_that_special_tokens_do_not_count():
    text = printed(build(capture(), Selection.parse(query="1")))
    assert "strongest to no special token: " in text


def test_a_model_named_like_its_architecture_is_named_once():
    held = replace(capture(), model=replace(FACTS, name="BertModel"))
    assert printed(build(held)).startswith("BertModel  3 layers × 4 heads")


def test_heads_with_the_same_keys_are_told_apart():
    made = replace(capture(), model=replace(FACTS, kv_heads=2))
    asked = request(made, Selection(), Appearance())
    text = printed(head_groups(asked))
    assert re.search(
        r"two heads of a layer  \S+ with the same keys \(every 2 heads\), \S+ others", text
    )
    groups = head_groups(asked)
    near = [(one, other) for one, other, _ in groups.pairs if groups.same_keys(one, other)]
    assert text.count(" same keys") == len(near) + 1
    plain = head_groups(replace(asked, capture=capture()))
    assert "same keys" not in printed(plain)
