"""Models whose target has other pieces or another vocabulary than their source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import sentencepiece
import torch

import attnviz
from attnviz.inputs.encode import encode, encode_batch
from attnviz.inputs.tensors import from_tensors
from attnviz.inputs.text import Text
from attnviz.models.sides import source_side, target_side

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.attention.axis import Axis
    from attnviz.models.loaded import LoadedModel

TEXT, TARGET = "the cat sat on the mat", "die katze schlief auf der matte"
MARIANS = ("marian", "separate_marian")
# What every word of the two texts is cut into by the merges of `translators.fsmt`.
FSMT_SOURCE = "the</w> cat</w> s a t</w> o n</w> the</w> m a t</w>"
FSMT_TARGET = "die</w> k a t z e</w> s c h l i e f</w> a u f</w> d e r</w> m a t t e</w>"


def folder_of(loaded: LoadedModel) -> Path:
    """The folder that the model was loaded from, with the files of its tokenizer."""
    assert loaded.tokenizer is not None
    return Path(loaded.tokenizer.name_or_path)


def dictionary(loaded: LoadedModel, *names: str) -> dict[str, int]:
    """The vocabulary in the first of these files that is there."""
    path = next(path for name in names if (path := folder_of(loaded) / name).exists())
    found: dict[str, int] = json.loads(path.read_text(encoding="utf-8"))
    return found


def cut_by_hand(loaded: LoadedModel, spm: str, text: str) -> list[tuple[str, int, int]]:
    """The pieces of a text with their places, from SentencePiece itself."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder_of(loaded) / spm))
    found = []
    for one in model.encode(text, return_type="proto").pieces:
        end = len(text.encode()[: one.end].decode())
        found.append((one.piece, end - len(one.piece.lstrip("\u2581")), end))
    return found


def spelled(tokens: str, text: str) -> list[tuple[str, int, int]]:
    """The tokens of words that end with `</w>`, with their places in the text."""
    found, at = [], 0
    for token in tokens.split():
        letters = token.removesuffix("</w>")
        at = text.index(letters, at)
        found.append((token, at, at + len(letters)))
        at += len(letters)
    return found


def check_side(
    axis: Axis, text: str, pieces: list[tuple[str, int, int]], ids: dict[str, int], start: int
) -> None:
    """Compare the positions from `start` on with pieces, places and ids found without attnviz."""
    stop = start + len(pieces)
    assert axis.ids[start:stop] == tuple(ids[piece] for piece, *_ in pieces)
    assert axis.labels[start:stop] == tuple(
        piece.replace("\u2581", "").removesuffix("</w>") for piece, *_ in pieces
    )
    assert axis.spans[start:stop] == tuple((begin, end) for _, begin, end in pieces)
    assert axis.words[start:stop] == tuple(text[:begin].count(" ") for _, begin, _ in pieces)
    assert axis.special == tuple(not start <= at < stop for at in range(len(axis)))


@pytest.mark.parametrize("name", MARIANS)
def test_marian_reads_each_side_by_its_own_pieces(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    inputs = encode(loaded, TEXT, target=TARGET)
    source = cut_by_hand(loaded, "source.spm", TEXT)
    target = cut_by_hand(loaded, "target.spm", TARGET)
    assert [piece for piece, *_ in target] != [
        piece for piece, *_ in cut_by_hand(loaded, "source.spm", TARGET)
    ]
    assert inputs.target is not None
    check_side(inputs.source, TEXT, source, dictionary(loaded, "vocab.json"), 0)
    vocabulary = dictionary(loaded, "target_vocab.json", "vocab.json")
    check_side(inputs.target, TARGET, target, vocabulary, 1)


def test_fsmt_reads_each_side_by_its_own_dictionary(
    translator: Callable[[str], LoadedModel],
) -> None:
    loaded = translator("fsmt")
    inputs = encode(loaded, TEXT, target=TARGET)
    assert inputs.target is not None
    source, target = dictionary(loaded, "vocab-src.json"), dictionary(loaded, "vocab-tgt.json")
    assert source["a"] != target["a"]
    check_side(inputs.source, TEXT, spelled(FSMT_SOURCE, TEXT), source, 0)
    check_side(inputs.target, TARGET, spelled(FSMT_TARGET, TARGET), target, 1)
    assert inputs.target.ids[0] == target["</s>"]


@pytest.mark.parametrize("name", MARIANS)
def test_the_decoder_reads_what_it_reads_in_training(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    tokenizer: Any = loaded.tokenizer
    labels = tokenizer(text_target=TARGET, return_tensors="pt")["input_ids"]
    wanted = loaded.model.prepare_decoder_input_ids_from_labels(labels)
    ids = encode(loaded, TEXT, target=TARGET).tensors["decoder_input_ids"]
    assert torch.equal(ids, wanted)


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("marian", ("vocab.json",)),
        ("separate_marian", ("target_vocab.json",)),
        ("fsmt", ("vocab-tgt.json",)),
    ],
)
def test_predictions_are_named_by_the_vocabulary_of_the_target(
    name: str, files: tuple[str, ...], translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    inputs = encode(loaded, TEXT, target=TARGET)
    with torch.no_grad():
        logits = loaded.model(**inputs.tensors).logits[0, -1]
    names = {number: token for token, number in dictionary(loaded, *files).items()}
    wanted = [names[number] for number in logits.topk(5).indices.tolist()]
    [(_, answers)] = attnviz.capture(loaded, TEXT, target=TARGET).prediction.items
    assert [label for label, _ in answers] == [
        name.replace("\u2581", "").removesuffix("</w>") or " " for name in wanted
    ]


@pytest.mark.parametrize("name", [*MARIANS, "fsmt"])
def test_tensors_are_named_by_their_side(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    inputs = encode(loaded, TEXT, target=TARGET)
    found = from_tensors(loaded.model, inputs.tensors, loaded.tokenizer)
    assert found.target is not None
    assert inputs.target is not None
    assert found.source.labels == inputs.source.labels
    assert found.target.labels == inputs.target.labels
    assert found.target.special == inputs.target.special


@pytest.mark.parametrize("name", [*MARIANS, "fsmt"])
def test_shorter_targets_of_a_batch_are_filled_up(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    texts = [Text(TEXT, target=TARGET), Text("it was", target="die katze")]
    inputs = encode_batch(loaded, texts, side="right")
    alone = encode(loaded, "it was", target="die katze")
    assert inputs.targets is not None
    assert alone.target is not None
    kept = len(alone.target)
    assert inputs.targets[1].labels[:kept] == alone.target.labels
    assert all(inputs.targets[1].padding[kept:])
    assert set(inputs.targets[1].labels[kept:]) == {"<pad>"}
    with torch.no_grad():
        together = loaded.model(**inputs.tensors).logits[1, :kept]
        single = loaded.model(**alone.tensors).logits[0]
    torch.testing.assert_close(together, single, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", [*MARIANS, "fsmt"])
def test_sides_leave_the_tokenizer_as_it_was(
    name: str, translator: Callable[[str], LoadedModel]
) -> None:
    loaded = translator(name)
    tokenizer: Any = loaded.tokenizer
    before = tokenizer(TEXT)["input_ids"], tokenizer.convert_ids_to_tokens(range(20))
    encode(loaded, TEXT, target=TARGET)
    side = target_side(tokenizer)
    side("die katze")
    assert (tokenizer(TEXT)["input_ids"], tokenizer.convert_ids_to_tokens(range(20))) == before


def test_one_tokenizer_serves_both_sides_where_nothing_sets_them_apart(
    loaded: Callable[[str], LoadedModel],
) -> None:
    tokenizer = loaded("bart").tokenizer
    assert tokenizer is not None
    assert source_side(tokenizer) is tokenizer
    assert target_side(tokenizer) is tokenizer


def test_a_target_token_of_fsmt_sees_no_later_one(
    translator: Callable[[str], LoadedModel],
) -> None:
    loaded = translator("fsmt")
    decoder = attnviz.capture(loaded, TEXT, target=TARGET).stacks["decoder"]
    assert decoder.layers == [0, 1]
    for layer in decoder.layers:
        for head in decoder.heads(layer):
            weights = decoder.weights(layer, head)
            assert not weights[np.triu_indices_from(weights, 1)].any()
