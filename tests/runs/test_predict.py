"""Predictions, read from the outputs of a run, against the plain computation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from attnviz.attention.capture import Prediction
from attnviz.inputs.encode import encode, encode_batch
from attnviz.inputs.tensors import from_tensors
from attnviz.inputs.text import Text
from attnviz.models.load import load, wrap
from attnviz.runs.predict import NO_HEAD, UNREAD, predict
from tests.models import tiny

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from attnviz.models.loaded import LoadedModel

    Get = Callable[[str], LoadedModel]


def asked(found: LoadedModel, text: str, **options: Any) -> tuple[Prediction, Any]:
    """The prediction for a text, and the outputs it was read from."""
    inputs = encode(found, text, **options)
    with torch.no_grad():
        outputs = found.model(**inputs.tensors)
    return predict(found, outputs, inputs), outputs


def chances(prediction: Prediction, item: int = 0) -> list[float]:
    return [value for _, value in prediction.items[item][1]]


@pytest.mark.parametrize("name", ["gpt2", "llama"])
def test_next_token(loaded: Get, name: str) -> None:
    for text in ("the cat", "it was tired"):
        prediction, outputs = asked(loaded(name), text)
        best = outputs.logits[0, -1].softmax(-1).topk(5)
        assert prediction.task == "next token"
        assert prediction.items[0][0] == ""
        assert chances(prediction) == best.values.tolist()
        labels = [label for label, _ in prediction.items[0][1]]
        tokenizer: Any = loaded(name).tokenizer
        for number, label in zip(best.indices.tolist(), labels, strict=True):
            assert label.startswith("\\x") or label == (tokenizer.decode([number]).strip() or " ")
        assert all("Ġ" not in label and "▁" not in label for label in labels)


def test_next_token_after_padding(loaded: Get) -> None:
    found = loaded("gpt2")
    inputs = encode_batch(found, [Text("the cat sat on it"), Text("it was")])
    assert inputs.sources[1].padding[-1]
    with torch.no_grad():
        outputs = found.model(**inputs.tensors)
    alone, _ = asked(found, "it was")
    for (label, value), (other, expected) in zip(
        predict(found, outputs, inputs, 1).items[0][1], alone.items[0][1], strict=True
    ):
        assert label == other
        assert value == pytest.approx(expected, abs=1e-6)


def test_masked_tokens(loaded: Get) -> None:
    found = loaded("bert")
    prediction, outputs = asked(found, "the [MASK] sat on [MASK]")
    assert prediction.task == "masked token"
    assert [where for where, _ in prediction.items] == ["[MASK]#1", "[MASK]#2"]
    assert chances(prediction, 1) == outputs.logits[0, 5].softmax(-1).topk(5).values.tolist()
    single, _ = asked(found, "the [MASK] sat")
    assert [where for where, _ in single.items] == ["[MASK]"]
    none, _ = asked(found, "the cat")
    assert none == Prediction("masked token", note="no [MASK] in the text")
    other, _ = asked(loaded("roberta"), "the cat")
    assert "no <mask> in the text" in other.note


def test_pretraining_head(tmp_path: Path) -> None:
    found = load(str(tiny.bert(tmp_path / "b", "ForPreTraining")))
    prediction, outputs = asked(found, "the [MASK]")
    expected = outputs.prediction_logits[0, 2].softmax(-1).topk(5).values.tolist()
    assert chances(prediction) == expected


def test_class(tmp_path: Path) -> None:
    names = {0: "bad", 1: "so-so", 2: "good"}
    path = tiny.bert(tmp_path / "b", "ForSequenceClassification", num_labels=3, id2label=names)
    prediction, outputs = asked(load(str(path)), "the cat")
    expected = outputs.logits[0].softmax(-1)
    assert prediction.task == "class"
    found = dict(prediction.items[0][1])
    assert found == {names[i]: expected[i].item() for i in range(3)}
    assert chances(prediction) == sorted(found.values(), reverse=True)


def test_labels(tmp_path: Path) -> None:
    path = tiny.bert(
        tmp_path / "b",
        "ForSequenceClassification",
        num_labels=7,
        problem_type="multi_label_classification",
    )
    prediction, outputs = asked(load(str(path)), "the cat")
    assert prediction.task == "labels"
    assert chances(prediction) == outputs.logits[0].sigmoid().topk(5).values.tolist()
    assert sum(chances(prediction)) > 1.2


@pytest.mark.parametrize("kind", [None, "regression"])
def test_score(tmp_path: Path, kind: str | None) -> None:
    path = tiny.bert(tmp_path / "b", "ForSequenceClassification", num_labels=1, problem_type=kind)
    prediction, outputs = asked(load(str(path)), "the cat", pair="it sat")
    assert prediction.task == "score"
    assert prediction.items == (("", (("LABEL_0", outputs.logits[0, 0].item()),)),)


def test_token_classes(tmp_path: Path) -> None:
    path = tiny.bert(tmp_path / "b", "ForTokenClassification", num_labels=4)
    prediction, outputs = asked(load(str(path)), "the unbelievable cat")
    assert prediction.task == "token class"
    assert [where for where, _ in prediction.items] == ["the", "un", "believ", "able", "cat"]
    for place in range(5):
        expected = outputs.logits[0, place + 1].softmax(-1).topk(3).values.tolist()
        assert chances(prediction, place) == expected


def test_answer_span(tmp_path: Path) -> None:
    found = load(str(tiny.bert(tmp_path / "b", "ForQuestionAnswering")))
    context = "the cat sat on the mat"
    prediction, outputs = asked(found, "it was", pair=context)
    assert prediction.task == "answer span"
    starts = outputs.start_logits[0].softmax(-1)[4:10]
    ends = outputs.end_logits[0].softmax(-1)[4:10]
    words = context.split()
    spans = {
        " ".join(words[a : b + 1]): (starts[a] * ends[b]).item()
        for a in range(6)
        for b in range(a, 6)
        if words[a] != "the" or a == 0 or (a, b) != (4, 4)
    }
    best = sorted(spans.items(), key=lambda one: -one[1])[:5]
    for (answer, value), (text, expected) in zip(prediction.items[0][1], best, strict=True):
        assert value == pytest.approx(expected, rel=1e-5)
        assert answer == text
    alone, _ = asked(found, "it was")
    assert alone.items == ()
    assert "--pair" in alone.note


def test_next_target_token(loaded: Get) -> None:
    prediction, outputs = asked(loaded("t5"), "the cat", target="eine")
    assert prediction.task == "next target token"
    assert chances(prediction) == outputs.logits[0, -1].softmax(-1).topk(5).values.tolist()
    none, _ = asked(loaded("t5"), "the cat")
    assert none.items == ()
    assert "without a target" in none.note


def test_classifier_with_decoder(loaded: Get) -> None:
    prediction, outputs = asked(loaded("bart.ForSequenceClassification"), "the cat")
    assert prediction.task == "class"
    assert chances(prediction) == outputs.logits[0].softmax(-1).topk(3).values.tolist()


def test_no_head(loaded: Get) -> None:
    prediction, _ = asked(loaded("bert.Model"), "the cat")
    assert prediction == Prediction(note=NO_HEAD)


def test_head_of_another_kind() -> None:
    from transformers import ElectraConfig, ElectraForPreTraining

    config = ElectraConfig(
        vocab_size=200, hidden_size=8, num_attention_heads=2, intermediate_size=8
    )
    bare = wrap(tiny.built(ElectraForPreTraining, config), tiny.wordpiece())
    prediction, outputs = asked(bare, "the [MASK]")
    assert outputs.logits.ndim == 2
    assert prediction == Prediction(note=UNREAD)


def test_untrained_head_is_not_trusted(tmp_path: Path, folder: Callable[[str], Path]) -> None:
    from dataclasses import replace

    found = load(str(folder("bert.ForSequenceClassification")))
    untrained = replace(found, untrained=("classifier.bias", "classifier.weight"))
    prediction, _ = asked(untrained, "the cat")
    assert prediction.items == ()
    assert "classifier.bias" in prediction.note
    pooler = replace(found, untrained=("bert.pooler.dense.weight",))
    assert asked(pooler, "the cat")[0].items == ()


def test_without_tokenizer(loaded: Get) -> None:
    bare = wrap(loaded("gpt2").model)
    inputs = from_tensors(bare.model, {"input_ids": torch.tensor([[4, 5]])})
    with torch.no_grad():
        prediction = predict(bare, bare.model(**inputs.tensors), inputs)
    assert prediction.items == ()
    assert "without a tokenizer" in prediction.note


def test_half_precision_probabilities_are_float32(folder: Callable[[str], Path]) -> None:
    found = load(str(folder("gpt2")), dtype="bfloat16")
    prediction, outputs = asked(found, "the cat")
    assert chances(prediction) == outputs.logits[0, -1].float().softmax(-1).topk(5).values.tolist()
