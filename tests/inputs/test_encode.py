"""Texts as tensors and axes, for every kind of tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attnviz.errors import InputError
from attnviz.inputs.encode import ModelInputs, encode, encode_batch
from attnviz.inputs.text import Text
from attnviz.models.labels import labels as labels_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.attention.axis import Axis
    from attnviz.models.loaded import LoadedModel

    Get = Callable[[str], LoadedModel]

# Letters that take several bytes, several code points, or belong to the one before.
JOINED = "ß你" + "👨‍👩‍👧" + " e\u0301"


def pieces(axis: Axis, text: str) -> list[str]:
    """What the spans cut out of the text."""
    return [text[a:b] for span in axis.spans if span is not None for a, b in [span]]


def words_of(axis: Axis) -> list[str]:
    """The labels of each word, joined."""
    numbers = [word for word in axis.words if word is not None]
    return [
        "".join(label for label, word in zip(axis.labels, axis.words, strict=True) if word == one)
        for one in dict.fromkeys(numbers)
    ]


def agrees(inputs: ModelInputs) -> None:
    """The axes and the tensors say the same."""
    ids = inputs.tensors["input_ids"]
    assert tuple(ids[0].tolist()) == inputs.source.ids
    assert ids.shape[1] == len(inputs.source)
    if inputs.target is not None:
        assert tuple(inputs.tensors["decoder_input_ids"][0].tolist()) == inputs.target.ids


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("bert", "[CLS] the cat un believ able sat . [SEP]"),
        ("gpt2", "the cat un b e l i e v a b l e sat ."),
        ("llama", "<s> the cat un b e l i e v a b l e sat ."),
        ("t5", "the cat un b e l i e v a b l e sat . </s>"),
        ("roberta", "<s> the cat un b e l i e v a b l e sat . </s>"),
    ],
)
def test_labels_are_readable(loaded: Get, name: str, labels: str) -> None:
    text = "the cat unbelievable sat."
    inputs = encode(loaded(name), text)
    agrees(inputs)
    assert " ".join(inputs.source.labels) == labels
    assert words_of(inputs.source) == ["the", "cat", "unbelievable", "sat", "."]
    assert "".join(pieces(inputs.source, text)) == text.replace(" ", "")


def test_bytes_of_one_character(loaded: Get) -> None:
    axis = encode(loaded("gpt2"), "the 你 好").source
    assert axis.labels == ("the", " ", r"\xe4", r"\xbd", r"\xa0", " ", r"\xe5", r"\xa5", r"\xbd")
    assert axis.words == (0, 1, 1, 1, 1, 2, 2, 2, 2)
    assert axis.spans[2:5] == ((4, 5),) * 3
    axis = encode(loaded("llama"), "ü").source
    assert axis.labels[-2:] == (r"\xc3", r"\xbc")


def test_unknown_words_and_masks_are_no_special_tokens(loaded: Get) -> None:
    axis = encode(loaded("bert"), "the ☃ [MASK] [SEP] cat").source
    assert axis.labels == ("[CLS]", "the", "[UNK]", "[MASK]", "[SEP]", "cat", "[SEP]")
    assert axis.special == (True, False, False, False, True, False, True)
    assert axis.spans == (None, (0, 3), (4, 5), (6, 12), None, (19, 22), None)
    assert axis.words == (None, 0, 1, 2, None, 3, None)


def test_accents_and_case_keep_their_place(loaded: Get) -> None:
    text = "THE  Cat\tsat\n"
    axis = encode(loaded("bert"), text).source
    assert axis.labels[1:-1] == ("the", "cat", "sat")
    assert pieces(axis, text) == ["THE", "Cat", "sat"]


@pytest.mark.parametrize(
    ("name", "labels", "segments"),
    [
        ("bert", "[CLS] the cat [SEP] it sat [SEP]", "0000111"),
        ("roberta", "<s> the cat </s> </s> it sat </s>", "00000111"),
        ("t5", "the cat </s> it sat </s>", "000111"),
    ],
)
def test_pairs(loaded: Get, name: str, labels: str, segments: str) -> None:
    inputs = encode(loaded(name), "the cat", pair="it sat")
    agrees(inputs)
    axis = inputs.source
    assert " ".join(axis.labels) == labels
    assert "".join(map(str, axis.segments)) == segments
    spans = [
        (segment, span)
        for label, segment, span in zip(axis.labels, axis.segments, axis.spans, strict=True)
        if label.isalpha()
    ]
    assert spans == [(0, (0, 3)), (0, (4, 7)), (1, (0, 2)), (1, (3, 6))]
    closing = [n for n, special in zip(axis.segments, axis.special, strict=True) if special]
    assert closing[-2:] == [0, 1]
    assert inputs.pair == "it sat"


@pytest.mark.parametrize(
    ("name", "labels"),
    [("t5", ("<pad>", "eine", "katze")), ("bart", ("</s>", "<s>", "eine", "katze"))],
)
def test_decoder_reads_the_shifted_target(loaded: Get, name: str, labels: tuple[str, ...]) -> None:
    found = loaded(name)
    inputs = encode(found, "the cat", target="eine katze")
    agrees(inputs)
    assert inputs.target is not None
    assert inputs.target.labels == labels
    assert not inputs.encoder_only
    assert inputs.target_text == "eine katze"
    text = found.tokenizer(text_target="eine katze", return_tensors="pt")["input_ids"]
    ours = found.model(**inputs.tensors).logits
    theirs = found.model(input_ids=inputs.tensors["input_ids"], labels=text).logits
    assert torch.equal(ours, theirs[:, : ours.shape[1]])


def test_without_target_only_the_encoder_is_shown(loaded: Get) -> None:
    inputs = encode(loaded("t5"), "the cat")
    assert inputs.encoder_only
    assert inputs.target is not None
    assert inputs.target.labels == ("<pad>",)
    assert "--target" in inputs.notes[0]
    loaded("t5").model(**inputs.tensors)


def test_classifier_rereads_its_source(loaded: Get) -> None:
    found = loaded("bart.ForSequenceClassification")
    inputs = encode(found, "the cat sat")
    agrees(inputs)
    assert inputs.target is not None
    assert inputs.target.labels == ("</s>", "<s>", "the", "cat", "sat")
    assert inputs.notes == ()
    assert not inputs.encoder_only
    alone = {name: inputs.tensors[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        assert torch.equal(found.model(**inputs.tensors).logits, found.model(**alone).logits)
    with pytest.raises(InputError, match="reads the text once more"):
        encode(found, "the cat", target="sat")


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_batches(loaded: Get, name: str, side: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = loaded(name)
    monkeypatch.setattr(found.tokenizer, "padding_side", side)
    target = "eine katze" if name == "t5" else None
    texts = [Text("the cat sat on it", target=target), Text("it", target=target and "it")]
    inputs = encode_batch(found, texts)
    mask = inputs.tensors["attention_mask"]
    for i, axis in enumerate(inputs.sources):
        assert axis.ids == tuple(inputs.tensors["input_ids"][i].tolist())
        assert axis.padding == tuple(not one for one in mask[i].tolist())
    short = inputs.sources[1]
    assert short.padding[0 if side == "left" else -1]
    alone = encode(found, "it", target=target and "it")
    kept = [i for i, padded in enumerate(short.padding) if not padded]
    assert short.take(kept).labels == alone.source.labels
    if name == "t5":
        assert inputs.targets is not None
        assert inputs.targets[1].padding == tuple(
            not one for one in inputs.tensors["decoder_attention_mask"][1].tolist()
        )
        return
    with torch.no_grad():
        many = found.model(**inputs.tensors).logits[1, kept]
        one = found.model(**alone.tensors).logits[0]
    if name == "bert" and side == "right":
        assert torch.allclose(many, one, atol=1e-5)


def test_batch_errors_name_the_line(loaded: Get) -> None:
    with pytest.raises(InputError, match=r"a\.txt:7: the text has"):
        encode_batch(loaded("bert"), [Text("the"), Text("cat " * 50, where="a.txt:7")])
    with pytest.raises(InputError, match="has no target, but others have"):
        encode_batch(loaded("t5"), [Text("the", target="a"), Text("cat")])


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    text=st.one_of(st.text(min_size=1, max_size=30), st.text(alphabet=JOINED, min_size=1)),
    pair=st.none() | st.text(min_size=1, max_size=10),
)
@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5", "roberta"])
def test_any_unicode_text(loaded: Get, name: str, text: str, pair: str | None) -> None:
    pair = None if name in ("gpt2", "llama") else pair
    try:
        inputs = encode(loaded(name), text, pair=pair, truncate=True)
    except InputError as error:
        assert "no tokens" in error.message
        return
    agrees(inputs)
    axis = inputs.source
    assert all(axis.labels)
    numbers = [word for word in axis.words if word is not None]
    assert numbers == sorted(numbers)
    assert set(numbers) == set(range(len(set(numbers))))
    for span, segment, special in zip(axis.spans, axis.segments, axis.special, strict=True):
        whole = (inputs.text, inputs.pair or "")[segment]
        assert span is None or (not special and 0 <= span[0] < span[1] <= len(whole))


@pytest.mark.parametrize("steps", ["decoder", "pre-tokenizer", "normalizer"])
def test_byte_level_characters_are_read_by_whatever_step_tells(steps: str) -> None:
    """Some tokenizers have no decoder: their vocabulary is made of bytes all the same."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    text = "你好 naïve ♥"
    backend = Tokenizer(models.BPE())
    if steps == "normalizer":
        backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.ByteLevel()])
    else:
        level = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(), level])
    trainer = trainers.BpeTrainer(
        vocab_size=400, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator([text] * 20, trainer)
    backend.decoder = decoders.ByteLevel() if steps == "decoder" else None
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    found = labels_of(tokenizer, tokenizer(text)["input_ids"])
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
