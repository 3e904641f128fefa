import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.attention.axis import Axis
from attnviz.attention.selection import Range, Selection
from attnviz.attention.tokens import occurrences, resolve_tokens
from attnviz.errors import SelectionError, UsageError

NAME = "all-MiniLM-L6-v2"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", [3]),
        ("0-2", [0, 1, 2]),
        ("0-2,5,-1", [0, 1, 2, 5]),
        ("-3--1", [3, 4, 5]),
        ("4--1", [4, 5]),
        (" 1 , 0 ", [0, 1]),
        ("-6-1", [0, 1]),
    ],
)
def test_layers_are_resolved_with_both_ends(text, expected):
    assert Selection.parse(layer=text).layer_numbers(range(6), NAME) == expected


def test_nothing_asked_for_is_everything():
    selection = Selection.parse()
    assert selection.is_empty
    assert not selection.names_heads
    assert selection.layer_numbers([4, 9], NAME) == [4, 9]
    assert selection.heads_of(4, 3, NAME) == [0, 1, 2]


@pytest.mark.parametrize("text", ["3-", "L3", "x", "", "1,,2", "1..3", "--1-", "1-2-3", "½"])
def test_a_malformed_layer_names_option_value_and_form(text):
    with pytest.raises(UsageError) as caught:
        Selection.parse(layer=text)
    assert caught.value.message.startswith(f"--layer {text}")
    assert "0-5,11,-1" in caught.value.hint


def test_a_range_that_runs_backwards_says_how_to_write_it():
    with pytest.raises(UsageError, match="runs backwards") as caught:
        Selection.parse(head="5-2")
    assert caught.value.hint == "write 2-5"


@pytest.mark.parametrize(
    ("text", "pairs"),
    [("L3H7", ((3, 7),)), ("l3h7,L5H1", ((3, 7), (5, 1))), ("L0H0, L0H2", ((0, 0), (0, 2)))],
)
def test_heads_named_with_their_layer(text, pairs):
    selection = Selection.parse(head=text)
    assert selection.pairs == pairs
    assert selection.layer_numbers(range(6), NAME) == sorted({layer for layer, _ in pairs})


@pytest.mark.parametrize("text", ["L3H7,5", "L3", "H7", "L3H", "L-1H2", "L3H7-9"])
def test_a_malformed_pair_is_an_error(text):
    with pytest.raises(UsageError, match="--head"):
        Selection.parse(head=text)


def test_a_pair_and_a_layer_must_agree():
    assert Selection.parse(layer="3", head="L3H7").single_head == (3, 7)
    with pytest.raises(UsageError, match="L3H7 is not in layer 2") as caught:
        Selection.parse(layer="2", head="L3H7")
    assert "leave --layer out" in caught.value.hint


@pytest.mark.parametrize(
    ("layer", "head", "expected"),
    [
        ("3", "5", (3, 5)),
        (None, "L2H0", (2, 0)),
        (None, "L2H0,L2H0", (2, 0)),
        ("3", None, None),
        (None, "5", None),
        ("3-4", "5", None),
        ("3", "5,6", None),
        (None, "L2H0,L2H1", None),
    ],
)
def test_single_head(layer, head, expected):
    assert Selection.parse(layer=layer, head=head).single_head == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9", "layer 9 does not exist: all-MiniLM-L6-v2 has layers 0-5"),
        ("0-6", "layer 6 does not exist: all-MiniLM-L6-v2 has layers 0-5"),
        ("-7", "layer -7 does not exist: all-MiniLM-L6-v2 has layers 0-5"),
    ],
)
def test_a_layer_that_does_not_exist(text, message):
    with pytest.raises(SelectionError) as caught:
        Selection.parse(layer=text).layer_numbers(range(6), NAME)
    assert caught.value.message == message


def test_a_head_that_does_not_exist():
    with pytest.raises(SelectionError) as caught:
        Selection.parse(head="12").heads_of(3, 12, NAME)
    assert caught.value.message == (
        "head 12 does not exist: all-MiniLM-L6-v2 has heads 0-11 in layer 3"
    )


def test_layers_of_a_hybrid_model_keep_their_gaps():
    hybrid = [4, 9, 14]
    assert Selection.parse(layer="0-9").layer_numbers(hybrid, NAME) == [4, 9]
    assert Selection.parse(layer="-1").layer_numbers(hybrid, NAME) == [14]
    with pytest.raises(SelectionError, match="layer 5 does not exist"):
        Selection.parse(layer="5").layer_numbers(hybrid, NAME)
    with pytest.raises(SelectionError, match="layer 5-8 does not exist"):
        Selection.parse(layer="5-8").layer_numbers(hybrid, NAME)


@pytest.mark.parametrize("option", ["stack", "query", "key"])
def test_empty_texts_are_malformed(option):
    with pytest.raises(UsageError, match=f"--{option} is empty"):
        Selection.parse(**{option: " "})


def test_wants_never_raises_and_is_wide_when_the_end_is_unknown():
    last = Selection.parse(layer="-1", head="0,9")
    assert last.wants(5, 6, 4) == (0,)
    assert last.wants(4, 6, 4) == ()
    assert last.wants(4, None, 4) == (0,)
    assert Selection.parse(head="L2H3,L2H9,L1H0").wants(2, 6, 4) == (3,)
    assert Selection.parse(head="-1").wants(0, None, 4) == (3,)


ends = st.integers(-8, 8)
parts = st.one_of(
    ends.map(lambda n: Range(n, n)),
    st.tuples(ends, ends)
    .filter(lambda e: e[0] <= e[1] or (e[0] < 0) != (e[1] < 0))
    .map(lambda e: Range(*e)),
)


@given(st.lists(parts, min_size=1, max_size=4), st.sampled_from(["layer", "head"]))
def test_what_is_written_is_read_back(wanted, option):
    selection = Selection.parse(**{option: ",".join(map(str, wanted))})
    assert (selection.layers or selection.heads) == tuple(wanted)


@given(st.lists(parts, min_size=1, max_size=4), st.integers(1, 9))
def test_wants_agrees_with_what_is_resolved(wanted, count):
    selection = Selection(layers=tuple(wanted))
    seen = [n for n in range(count) if selection.wants(n, count, 1)]
    try:
        assert selection.layer_numbers(range(count), NAME) == seen
    except SelectionError as error:
        assert "does not exist" in error.message


@given(st.text(max_size=12))
def test_any_text_is_a_selection_or_a_usage_error(text):
    for option in ("layer", "head"):
        try:
            Selection.parse(**{option: text})
        except UsageError as error:
            assert error.hint


WORDS = Axis(
    labels=("[CLS]", " It", "token", "##ization", "of", "it", "5", "'s", "it", "[SEP]", "[PAD]"),
    words=(None, 0, 1, 1, 2, 3, 4, 5, 6, None, None),
    special=(True, *(False,) * 8, True, True),
    padding=(False,) * 10 + (True,),
)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("it", [1]),
        ("IT#2", [5]),
        ("it#3", [8]),
        ("tokenization", [2, 3]),
        ("token", [2]),
        ("ization", [3]),
        ("##ization", [3]),
        ("[CLS]", [0]),
        ("0", [0]),
        ("5", [5]),
        ("5#1", [6]),
        ("-1", [9]),
        ("2-4", [2, 3, 4]),
        ("-2--1", [8, 9]),
        ("'s", [7]),
    ],
)
def test_tokens_by_word_occurrence_index_and_range(spec, expected):
    assert resolve_tokens(spec, WORDS, "--query") == expected


@pytest.mark.parametrize(
    ("spec", "message", "hint"),
    [
        ("tokenisation", "--key tokenisation: no token", "near it: tokenization"),
        ("xyz", "--key xyz: no token", "there are 0 [cls], 1 it"),
        ("it#4", "--key it#4 does not exist: it occurs 3 times", "it#1"),
        ("of#2", "--key of#2 does not exist: of occurs once", "of#1"),
        ("of#0", "--key of#0 does not exist", "count from 1"),
        ("10", "--key 10 does not exist: there are tokens 0-9", "12-80"),
        ("3-99", "--key 3-99 does not exist", "12-80"),
        ("99-3", "--key 99-3 does not exist", "12-80"),
        ("5-3", "--key 5-3: the range runs backwards", "write 3-5"),
        ("-1-2", "--key -1-2: the range runs backwards", "write 2--1"),
        ("-2--4", "--key -2--4: the range runs backwards", "write -4--2"),
    ],
)
def test_tokens_that_are_not_there(spec, message, hint):
    with pytest.raises(SelectionError) as caught:
        resolve_tokens(spec, WORDS, "--key")
    assert caught.value.message.startswith(message)
    assert hint in caught.value.hint


def test_a_number_out_of_range_may_be_a_word():
    axis = Axis(labels=("in", "2019", "or", "1-0"))
    assert resolve_tokens("2019", axis, "--query") == [1]
    assert resolve_tokens("1-0", axis, "--query") == [3]


def test_left_padding_is_not_counted():
    axis = Axis(labels=("[PAD]", "a", "b"), padding=(True, False, False))
    assert resolve_tokens("0", axis, "--query") == [1]
    assert resolve_tokens("-2", axis, "--query") == [1]


def test_words_of_both_texts_of_a_pair_stay_apart():
    axis = Axis(labels=("a", "b"), words=(0, 0), segments=(0, 1))
    assert occurrences("ab", axis) == []
    assert occurrences("b", axis) == [(1,)]


@given(st.integers(0, 9), st.integers(0, 9))
def test_every_index_and_range_is_found(first, last):
    assert resolve_tokens(str(first), WORDS, "--query") == [first]
    if first <= last:
        expected = list(range(first, last + 1))
        assert resolve_tokens(f"{first}-{last}", WORDS, "--query") == expected
