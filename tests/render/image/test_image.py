"""Images: what is drawn, where, in which colours, and that the same picture is the same file."""

from __future__ import annotations

import re
from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import FigureImage
from matplotlib.text import Text
from PIL import Image

from attnviz.attention.capture import AttentionStack, Capture, Check, ModelFacts
from attnviz.attention.selection import Selection
from attnviz.errors import UsageError
from attnviz.render.image import fonts
from attnviz.render.image.bar import tick_label
from attnviz.render.image.draw import Drawing, draw
from attnviz.render.image.grid import grid_pixels
from attnviz.render.image.paint import Paint, as_bytes
from attnviz.render.image.pen import Pen
from attnviz.render.image.style import THEMES, ImageStyle
from attnviz.render.text.safe import display
from attnviz.views.answer import Answer, Facts, answer_about
from attnviz.views.appearance import Appearance
from attnviz.views.build import figure
from attnviz.views.compare.within import head_groups
from attnviz.views.heads.score_matrix import HeadMatrix
from attnviz.views.maps.heatmap import State, heatmap
from attnviz.views.maps.pool import pooled
from attnviz.views.request import request
from tests.captures import axis, capture, layer, normalized, translation

if TYPE_CHECKING:
    from collections.abc import Sequence

SELECTIONS = [
    ("auto", Selection()),
    ("auto", Selection.parse(head="L0H3")),
    ("auto", Selection.parse(layer="0")),
    ("auto", Selection.parse(head="L0H1,L1H3,L1H0")),
    ("arcs", Selection.parse(layer="0")),
    ("matrix", Selection()),
]


def of(labels: Sequence[str], layers: int = 2, *, causal: bool = True) -> Capture:
    """A capture whose tokens have these labels."""
    words = axis(list(labels))
    stack = {n: layer(n, words, words, causal=causal) for n in range(layers)}
    return Capture(ModelFacts("toy"), {"self": AttentionStack("self", stack)})


def drawn(found: Capture, selection: Selection, style: ImageStyle | None = None,
          view: str = "auto", appearance: Appearance | None = None) -> Drawing:  # fmt: skip
    looks = replace(appearance or Appearance(), most=grid_pixels(8))
    content = figure(found, selection, looks, view)
    return draw(content, style or ImageStyle())


def texts(drawing: Drawing) -> list[Text]:
    """Every visible text."""
    return [one for one in drawing.figure.findobj(Text) if one.get_text() and one.get_visible()]


def words(drawing: Drawing) -> list[str]:
    """What is written, the largest letters first."""
    found = sorted(texts(drawing), key=lambda one: -one.get_fontsize())
    return [one.get_text() for one in found]


def picture(drawing: Drawing) -> np.ndarray:
    """The colours of the map or of the panels, uint8 (pixels, pixels, 4)."""
    (found,) = drawing.figure.findobj(FigureImage)
    return np.asarray(found.get_array())


def check_layout(drawing: Drawing) -> None:
    """No text is cut off by the page, no two overlap."""
    renderer = FigureCanvasAgg(drawing.figure).get_renderer()
    width, height = renderer.width, renderer.height
    boxes = []
    for one in texts(drawing):
        box = one.get_window_extent(renderer)
        assert box.x0 >= -1, one
        assert box.y0 >= -1, one
        assert box.x1 <= width + 1, one
        assert box.y1 <= height + 1, one
        boxes.append((box.x0 + 1, box.y0 + 1, box.x1 - 1, box.y1 - 1, one))
    boxes.sort(key=lambda box: box[0])
    for i, (_, bottom, right, top, one) in enumerate(boxes):
        for left, low, _, high, other in boxes[i + 1 :]:
            if left >= right:
                break
            assert low >= top or high <= bottom, (one, other)


@pytest.mark.parametrize(("view", "selection"), SELECTIONS)
@pytest.mark.parametrize("tokens", [3, 20, 80, 200])
def test_nothing_is_clipped_and_no_texts_overlap(
    view: str, selection: Selection, tokens: int
) -> None:
    labels = ["[CLS]", *(f"word{i}"[: 3 + i % 9] for i in range(tokens - 1))]
    for causal in (True, False):
        found = of(labels, 3, causal=causal)
        check_layout(drawn(found, selection, view=view))
        check_layout(drawn(found, selection, ImageStyle(size=(9, 7)), view))


@pytest.mark.parametrize("view", ["auto", "map", "arcs"])
def test_rectangular_maps(view: str) -> None:
    check_layout(drawn(translation(), Selection(), view=view))


def test_heatmap_has_the_weights_in_the_colours_of_the_map() -> None:
    found = of(["a", "b", "c", "d", "e", "f", "g", "h"], causal=False)
    weights = found.stacks["self"].weights(0, 1)
    drawing = drawn(found, Selection.parse(head="L0H1"), ImageStyle(cmap="cividis"))
    image = picture(drawing)
    cell = image.shape[0] // 8
    colours = image[cell // 2 :: cell, cell // 2 :: cell]
    steps = np.rint(weights / weights.max() * 255) / 255
    np.testing.assert_array_equal(colours, mpl.colormaps["cividis"](steps, bytes=True))
    (bar,) = [one for one in drawing.figure.axes if one.get_ylabel()]
    assert bar.get_ylabel() == "attention weight"
    assert bar.get_ylim() == (0, pytest.approx(weights.max()))


def test_labels_stand_at_their_rows_and_columns() -> None:
    found = translation()
    drawing = drawn(found, Selection.parse(head="L0H0"))
    axes = drawing.figure.axes[0]
    stack = found.stacks["cross"]
    assert [one.get_text() for one in axes.get_yticklabels()] == [
        display(label) for label in stack.queries(0).labels
    ]
    assert [one.get_text() for one in axes.get_xticklabels()] == [
        display(label) for label in stack.keys(0).labels
    ]
    assert list(axes.get_yticks()) == list(range(len(stack.queries(0))))
    assert axes.get_ylim()[0] > axes.get_ylim()[1], "the first query is on top"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_special_cells_and_sinks_have_their_own_colours(theme: str) -> None:
    keys = axis()
    weights = normalized(np.random.default_rng(0).random((4, 8, 8)), np.tri(8, dtype=bool))
    weights[1, 5, 2] = np.nan
    one = heatmap(layer(0, keys, keys, weights, causal=True), 1, Appearance())
    style = ImageStyle(theme_name=theme)  # type: ignore[arg-type]
    colours = Paint(style)(one)
    states = THEMES[style.theme_name].states
    assert (colours[0, 1] == as_bytes(states[State.MASKED])).all()
    assert (colours[5, 2] == as_bytes(states[State.NAN])).all()
    sink = colours[3, 0].astype(int)
    assert sink[:3].max() - sink[:3].min() <= 12, "special tokens are grey"
    shown = colours[3, 1].astype(int)
    assert shown[:3].max() - shown[:3].min() > 12


def test_panels_stand_in_the_order_of_layers_and_heads() -> None:
    found = of(["a", "b", "c", "d", "e", "f", "g", "h"], causal=False)
    content = figure(found, Selection(), Appearance())
    image = picture(draw(content, ImageStyle()))
    paint = Paint(ImageStyle())
    maps = {(head.layer, head.head): one for head, one in content.parts[0].maps}  # type: ignore[union-attr]
    tall, wide = image.shape[0] // 2, image.shape[1] // 4
    for (number, head), one in maps.items():
        part = image[number * tall : (number + 1) * tall, head * wide : (head + 1) * wide]
        solid = part[(part[..., 3] > 0).any(1)][:, (part[..., 3] > 0).any(0)]
        cell = solid.shape[0] // 8
        np.testing.assert_array_equal(
            solid[cell // 2 :: cell, cell // 2 :: cell][:8, :8], paint(one)
        )


@pytest.mark.parametrize("scale", ["linear", "sqrt", "log", "row", "rank"])
def test_scales_are_named(scale: str) -> None:
    appearance = Appearance(scale=scale)  # type: ignore[arg-type]
    drawing = drawn(capture(), Selection.parse(head="L0H1"), appearance=appearance)
    said = " ".join(words(drawing))
    named = {"sqrt": "square root", "row": "largest of each row"}.get(scale, scale)
    assert named in said
    check_layout(drawing)


def test_small_print_says_what_was_done() -> None:
    found = of(["[CLS]", *(f"w{i}" for i in range(160))])
    appearance = Appearance(hide_special=True, renormalize=True, reduce="max")
    style = ImageStyle(size=(3, 3), dpi=50, labels=False)
    content = figure(found, Selection.parse(head="L0H1"), appearance)
    content = replace(content, checks=(Check("rows sum to 1", False, "0.5"),), notes=("cut",))
    said = " ".join(words(draw(content, style)))
    for part in ("special tokens hidden", "rows renormalised to 1", "pale = masked", "cut",
                 "CHECK FAILED: rows sum to 1 0.5", "(largest weight)"):  # fmt: skip
        assert part in said, part
    sinks = " ".join(words(drawn(capture(), Selection())))
    assert "grey = special tokens" in sinks
    lines = " ".join(words(drawn(capture(), Selection(), view="arcs")))
    assert re.search(r"weights below 0.05 have no line: \d+% of the attention", lines)


def test_title_names_model_stack_and_head() -> None:
    found = translation()
    found = replace(found, model=replace(found.model, name="org/m_x$y^2$", revision="607a30d783df"))
    title = words(drawn(found, Selection.parse(head="L0H0")))[0]
    assert title.startswith("org/m_x$y^2$ @607a30d7 · cross attention · L0H0")
    assert words(drawn(found, Selection(), ImageStyle(title="Mine $1")))[0] == "Mine $1"
    bare = words(drawn(found, Selection(), ImageStyle(title="")))
    assert not any("org/m" in one for one in bare)


def test_awkward_tokens_print_as_themselves() -> None:
    labels = ["$x_y$", "\\bad{", "^2", "[/INST]", "\x1b[31m", "a\nb", " ", "ünï", "x" * 60]
    drawing = drawn(of(labels), Selection.parse(head="L0H1"))
    shown = words(drawing)
    for label in ("$x_y$", "\\bad{", "^2", "[/INST]", "a⏎b", "␣", "ünï"):
        assert label in shown
    assert any(one.startswith("xxx") and one.endswith("…") for one in shown)
    for form in ("png", "svg", "pdf"):
        assert drawing.to_bytes(form)


def test_tokens_without_a_font_are_shown_by_their_index(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "candidates", list)
    drawing = drawn(of(["the", "猫", "sat", "坐"]), Selection.parse(head="L0H1"))
    shown = words(drawing)
    assert {"the", "#1", "sat", "#3"} <= set(shown)
    assert "猫" in drawing.warning
    assert "fonts-noto-cjk" in drawing.warning
    assert drawn(of(["the", "cat"]), Selection()).warning == ""


def test_fonts_that_have_the_characters_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    have = {"Some CJK": frozenset("猫坐")}
    real = fonts.characters
    monkeypatch.setattr(fonts, "candidates", lambda: ["Empty", "Some CJK", "Unneeded"])
    monkeypatch.setattr(
        fonts, "characters",
        lambda family: have.get(family, real(family) if family == fonts.BASE else frozenset()),
    )  # fmt: skip
    assert fonts.families(["a猫"], None) == [fonts.BASE, "Some CJK"]
    assert fonts.families(["a"], None) == [fonts.BASE]


def test_font_colour_map_and_size_are_checked(tmp_path) -> None:
    with pytest.raises(UsageError, match="no colour map") as error:
        ImageStyle(cmap="viridiss").check()
    assert "viridis" in error.value.hint
    with pytest.raises(UsageError, match="not installed"):
        ImageStyle(font="No Such Font").check()
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(UsageError, match="no font that can be read"):
        ImageStyle(font=str(broken)).check()
    for selection in (Selection(), Selection.parse(head="L0H1")):
        with pytest.raises(UsageError, match="leaves no room"):
            drawn(of([f"w{i}" for i in range(300)], 3), selection, ImageStyle(size=(1.0, 1.0)))


def test_a_font_file_is_used() -> None:
    path = next(one.fname for one in fonts.font_manager.fontManager.ttflist
                if one.name == "DejaVu Sans Mono")  # fmt: skip
    drawing = drawn(capture(), Selection.parse(head="L0H1"), ImageStyle(font=path))
    assert {one.get_fontfamily()[0] for one in texts(drawing)} == {"DejaVu Sans Mono"}


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
@pytest.mark.parametrize(("view", "selection"), SELECTIONS[:2] + SELECTIONS[4:])
def test_the_same_picture_is_the_same_file(form: str, view: str, selection: Selection) -> None:
    once, again = (drawn(capture(), selection, view=view).to_bytes(form) for _ in range(2))
    assert once == again


def test_text_stays_text_in_vector_files() -> None:
    drawing = drawn(of(["some", "words", "here", "a<b&c"]), Selection.parse(head="L0H1"))
    svg = drawing.to_bytes("svg").decode()
    for label in ("some", "words", "here", "a&lt;b&amp;c"):
        assert f">{label}</text>" in svg
    assert b"/FontFile2" in drawing.to_bytes("pdf"), "TrueType, not outlines"


@pytest.mark.parametrize("dpi", [72, 200])
def test_size_and_resolution_are_kept(dpi: int) -> None:
    style = ImageStyle(size=(6, 5), dpi=dpi)
    for view, selection in SELECTIONS:
        data = drawn(capture(), selection, style, view).to_bytes("png")
        assert Image.open(BytesIO(data)).size == (6 * dpi, 5 * dpi)


def test_long_maps_are_pooled_to_pixels() -> None:
    found = of([f"w{i}" for i in range(400)])
    drawing = drawn(found, Selection.parse(head="L0H1"), ImageStyle(dpi=25))
    assert picture(drawing).shape[0] <= 9.8 * 25 + 1
    assert any("a cell is up to" in one for one in words(drawing))


@pytest.mark.parametrize("reduce", ["mass", "mean", "max"])
def test_pooling(reduce: str) -> None:
    words_ = axis(["a"] * 8)
    weights = normalized(np.random.default_rng(1).random((4, 8, 8)), np.tri(8, dtype=bool))
    appearance = Appearance(reduce=reduce)  # type: ignore[arg-type]
    small = pooled(heatmap(layer(0, words_, words_, weights, causal=True), 0, appearance), 4, 4)
    block = weights[0].reshape(4, 2, 4, 2)
    allowed = np.tri(8).reshape(4, 2, 4, 2).sum((1, 3))
    expected = {
        "mass": block.sum(3).mean(1),
        "mean": block.sum((1, 3)) / np.maximum(allowed, 1),
        "max": block.max((1, 3)),
    }[reduce]
    np.testing.assert_allclose(small.values, expected, atol=1e-6)
    assert small.pooled == reduce


def test_matrix_writes_its_values_and_leaves_missing_heads_empty() -> None:
    found = capture()
    drawing = drawn(found, Selection.parse(head="L0H0,L1H1"), view="matrix")
    values = found.scores["self"]["content"]
    shown = words(drawing)
    assert f"{values[0, 0]:.2f}".removeprefix("0") in shown
    image = drawing.figure.axes[0].images[0]
    array = image.get_array()
    assert array.mask.tolist() == [[False, True], [True, False]]
    assert image.cmap.name == "viridis"


@pytest.mark.parametrize("tokens", [12, 27, 60, 150, 700])
def test_panels_of_a_layer_have_labels_at_any_length(tokens: int) -> None:
    labels = [f"word{i}"[: 3 + i % 9] for i in range(tokens)]
    drawing = drawn(of(labels), Selection.parse(layer="0"))
    check_layout(drawing)
    shown = [one.get_text() for one in texts(drawing) if one.get_rotation() == 90]
    firsts = [one for one in shown if one.split()[-1] == "wor"]
    assert len(firsts) >= 2, "the first token stands under every panel of the last row"
    assert len(shown) > 10


@pytest.mark.parametrize("chosen", ["L0H1", "L0H1,L0H2", "L0H0-3"])
@pytest.mark.parametrize("tokens", [30, 300])
@pytest.mark.parametrize("few", [{"query": "20"}, {"query": "20-25"}, {"key": "3"}])
def test_few_rows_or_columns_are_wide_enough_to_read(
    chosen: str, tokens: int, few: dict[str, str]
) -> None:
    labels = [f"w{i}" for i in range(tokens)]
    found = of(labels, causal=False)
    selection = replace(
        Selection.parse(head=chosen.replace("L0H0-3", "L0H0,L0H1,L0H2,L0H3"), **few)
    )
    drawing = drawn(found, selection)
    check_layout(drawing)
    written = words(drawing)
    for label in ("w20",) if "query" in few else ("w3",):
        assert label in written
    sized = drawn(found, selection, ImageStyle(size=(8, 6)))
    check_layout(sized)
    if len(chosen) == 4:
        tall, wide, _ = picture(drawing).shape
        assert min(tall, wide) >= 0.12 * 200


def test_many_heads_of_a_short_text_stay_small() -> None:
    keys = axis(["a", "b", "c", "d", "e", "f"])
    weights = normalized(np.random.default_rng(0).random((64, 6, 6)), np.ones((6, 6), bool))
    layers = {n: layer(n, keys, keys, weights) for n in range(64)}
    found = Capture(ModelFacts("toy"), {"self": AttentionStack("self", layers)})
    tall, wide, _ = picture(drawn(found, Selection())).shape
    assert max(tall, wide) <= 64 * 0.3 * 200


@pytest.mark.parametrize(
    ("query", "key", "said"),
    [("3", None, "query 3 w3"), ("2-5", None, "queries 2–5"), ("w5", None, "query 5 w5"),
     (None, "3", "key 3 w3"), ("1-2", "4-6", "queries 1–2 · keys 4–6"), (None, None, "")],
)  # fmt: skip
def test_grids_say_which_queries_and_keys_they_show(
    query: str | None, key: str | None, said: str
) -> None:
    found = of([f"w{i}" for i in range(12)], causal=False)
    small = words(drawn(found, Selection.parse(query=query, key=key)))
    if said:
        assert any(said in one for one in small)
    else:
        assert not any("quer" in one or "keys 0" in one for one in small)


def scored(values: list[list[float]], **style: object) -> Drawing:
    """A matrix of these values, as the score `offset` of a model of two layers and two heads."""
    array = np.array(values)
    layers, heads = (tuple(range(n)) for n in array.shape)
    body = HeadMatrix("self", "offset", layers, heads, array)
    model = ModelFacts("toy", layers=2, heads=2)
    return draw(Answer(Facts(model), (body,)), ImageStyle(**style))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "ends", "colours"),
    [
        ([[-3.0, 1.0], [0.0, 2.0]], (-3, 3), "RdBu_r"),
        ([[-3.0, -1.0], [0.0, -2.0]], (-3, 0), "viridis"),
        ([[3.0, 1.0], [np.nan, 2.0]], (0, 3), "viridis"),
        ([[0.0, 0.0], [0.0, 0.0]], (0, 1), "viridis"),
    ],
)
def test_matrix_of_both_signs_diverges_around_zero(
    values: list[list[float]], ends: tuple[float, float], colours: str
) -> None:
    image = scored(values).figure.axes[0].images[0]
    assert image.get_clim() == ends
    assert image.cmap.name == colours
    chosen = scored(values, cmap="cividis").figure.axes[0].images[0]
    assert (chosen.get_clim(), chosen.cmap.name) == (ends, "cividis")


def test_matrix_without_values_says_so() -> None:
    nan = float("nan")
    drawing = scored([[nan, nan], [nan, nan]])
    assert "no head has this score here" in words(drawing)
    assert [one.get_ylabel() for one in drawing.figure.axes] == [""], "no colour bar"
    some = scored([[nan, 0.5], [0.2, 0.1]])
    assert "pale = no value" in words(some)
    image = some.figure.axes[0].images[0]
    pale = THEMES["light"].states[State.MASKED]
    assert image.to_rgba(np.ma.masked_invalid([[nan]]), bytes=True)[0, 0].tolist() == (
        as_bytes(pale).tolist()
    )
    assert not any("no value" in one for one in words(scored([[1.0, 2.0], [3.0, 4.0]])))


def test_matrix_names_its_heads() -> None:
    assert "toy · offset of every head" in words(scored([[1.0, 2.0], [3.0, 4.0]]))
    assert "toy · offset of layer 0, 2 heads" in words(scored([[1.0, 2.0]]))
    assert "toy · offset of 3 heads" in words(scored([[1.0, 2.0], [3.0, float("nan")]]))
    assert "toy · offset of L0H0" in words(scored([[1.0]]))


@pytest.mark.parametrize(
    ("tick", "label"),
    [(0, "0"), (0.1, "0.10"), (0.30000000000000004, "0.30"), (0.125, "0.125"), (0.175, "0.175"),
     (0.025, "0.025"), (1, "1.00"), (1.005, "1.005"), (80, "80"), (-20, "-20"), (-0.125, "-0.125"),
     (-100, "-100"), (0.001, "0.001")],
)  # fmt: skip
def test_ticks_of_the_colour_bar_are_not_rounded_to_other_values(tick: float, label: str) -> None:
    assert tick_label(tick) == label


def test_pictures_of_too_many_pixels_are_refused() -> None:
    for view, selection in SELECTIONS:
        style = ImageStyle(size=(100, 100), dpi=2400)
        with pytest.raises(UsageError, match="240,000 × 240,000 pixels are too many"):
            drawn(capture(), selection, style, view)


def test_small_print_breaks_neither_before_a_separator_nor_inside_an_equation() -> None:
    pen = Pen(ImageStyle(), [])
    text = "weights 0 – 1.00 linear · grey = keys that take over 30 % · pale = masked"
    for room in (0.8, 1.2, 1.6, 2.0, 2.4, 3.0):
        lines = pen.wrapped(text, room, 7.0)
        assert " ".join(lines) == text
        for line in lines:
            assert not line.startswith(("·", "=", "–"))
            assert not line.endswith(("=", "–"))


def test_thinned_labels_keep_their_distance_and_have_their_index() -> None:
    drawing = drawn(of([f"w{i}" for i in range(300)]), Selection.parse(head="L0H1"))
    labels = [one.get_text() for one in drawing.figure.axes[0].get_yticklabels()]
    assert 40 < len(labels) < 100
    indices = [int(label.split()[0]) for label in labels]
    assert len({b - a for a, b in pairwise(indices)}) == 1
    assert labels[1] == f"{indices[1]} w{indices[1]}"
    none = drawn(of(["a", "b"]), Selection.parse(head="L0H1"), ImageStyle(labels=False))
    assert "a" not in words(none)


def test_heads_that_share_keys_are_joined() -> None:
    made = capture()
    for kv_heads, joined in ((2, 6), (4, 0)):  # 3 layers of 4 heads
        found = replace(made, model=replace(made.model, kv_heads=kv_heads))
        groups = head_groups(request(found, Selection(), Appearance()))
        drawing = draw(answer_about(found, groups), ImageStyle())
        [axes] = [one for one in drawing.figure.axes if one.collections]
        assert len(axes.lines) == joined
        assert ("joined by lines" in " ".join(words(drawing))) == bool(joined)
