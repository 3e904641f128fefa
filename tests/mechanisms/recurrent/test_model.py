"""The recurrent model computes what its docstring says, as a model of transformers."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from attnviz.errors import ModelError
from attnviz.mechanisms.recurrent import RecurrentConfig, RecurrentForConditionalGeneration
from tests.mechanisms.recurrent.builds import SCORES, SHAPES, WORDS, build, given, ids

EVERY = [{"score": score, **shape} for score in SCORES for shape in SHAPES]
every = pytest.mark.parametrize("choices", EVERY, ids=lambda one: "-".join(map(str, one.values())))


@every
def test_forward_and_loss(choices: dict) -> None:
    model, labels = build(**choices), ids(2, 5, seed=3)
    labels[1, 3:] = -100
    found = model(input_ids=ids(2, 7), labels=labels, output_attentions=True)
    assert found.logits.shape == (2, 5, WORDS)
    kept = labels != -100
    assert torch.allclose(found.loss, F.cross_entropy(found.logits[kept], labels[kept]))
    (weights,) = found.cross_attentions
    assert weights.shape == (2, 1, 5, 7)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 1, 5))
    torch.autograd.backward(found.loss)
    still = [
        name for name, one in model.named_parameters() if one.grad is None or not one.grad.any()
    ]
    assert still == []


def test_labels_are_read_one_place_later() -> None:
    model, labels = build(), ids(2, 5)
    shifted = torch.cat([torch.zeros(2, 1, dtype=torch.long), labels[:, :-1]], dim=1)
    by_labels = model(input_ids=ids(2, 7), labels=labels).logits
    by_ids = model(input_ids=ids(2, 7), decoder_input_ids=shifted).logits
    assert torch.equal(by_labels, by_ids)


@every
def test_cached_steps_equal_the_full_forward(choices: dict) -> None:
    model, inputs = build(**choices), given(2)
    with torch.no_grad():
        whole = model(**inputs, output_attentions=True)
        state, logits, weights = None, [], []
        for token in inputs["decoder_input_ids"].split(2, dim=1):
            step = model(
                input_ids=inputs["input_ids"], decoder_input_ids=token, past_key_values=state,
                output_attentions=True,
            )  # fmt: skip
            state = step.past_key_values
            logits.append(step.logits)
            weights.append(step.cross_attentions[0])
    assert state.get_seq_length() == 5
    assert torch.allclose(torch.cat(logits, 1), whole.logits, atol=1e-6)
    assert torch.allclose(torch.cat(weights, 2), whole.cross_attentions[0], atol=1e-6)


@every
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_changes_nothing(choices: dict, side: str) -> None:
    model, inputs = build(**choices), given()
    before, after = (3, 0) if side == "left" else (0, 3)
    padded = {name: F.pad(one, (before, after), value=9) for name, one in inputs.items()}
    masks = {name: F.pad(torch.ones_like(one), (before, after)) for name, one in inputs.items()}
    with torch.no_grad():
        alone = model(**inputs, output_attentions=True)
        filled = model(
            **padded, attention_mask=masks["input_ids"],
            decoder_attention_mask=masks["decoder_input_ids"], output_attentions=True,
        )  # fmt: skip
    target, source = slice(before, before + 5), slice(before, before + 7)
    assert torch.allclose(filled.logits[:, target], alone.logits, atol=1e-6)
    weights = filled.cross_attentions[0][:, :, target]
    assert torch.allclose(weights[..., source], alone.cross_attentions[0], atol=1e-6)
    assert torch.allclose(weights[..., source].sum(-1), torch.ones(1, 1, 5))


def test_a_source_without_tokens_gives_numbers() -> None:
    found = build()(**given(), attention_mask=torch.zeros(1, 7), output_attentions=True)
    assert found.logits.isfinite().all()
    assert not found.cross_attentions[0].any()


@pytest.mark.parametrize("score", SCORES)
def test_who_asks(score: str) -> None:
    """Bahdanau's row does not know the token that is read, Luong's does."""
    model, inputs = build(score=score), given()
    other = inputs["decoder_input_ids"].clone()
    other[0, -1] = (other[0, -1] - 2 + 1) % (WORDS - 2) + 2
    rows = [
        model(**(inputs | {"decoder_input_ids": one}), output_attentions=True).cross_attentions[0]
        for one in (inputs["decoder_input_ids"], other)
    ]
    assert torch.equal(rows[0][:, :, :-1], rows[1][:, :, :-1])
    assert torch.equal(rows[0], rows[1]) == (score == "additive")


@every
def test_greedy_text_is_the_likeliest_token_each_time(choices: dict) -> None:
    model, source = build(**choices), ids(2, 7)
    written = torch.zeros(2, 1, dtype=torch.long)
    with torch.no_grad():
        for _ in range(6):
            logits = model(input_ids=source, decoder_input_ids=written).logits[:, -1]
            logits[:, 1] = -torch.inf  # no end
            written = torch.cat([written, logits.argmax(-1, keepdim=True)], dim=1)
    found = model.generate(source, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    assert torch.equal(found, written)


@pytest.mark.parametrize("choices", SHAPES, ids=str)
def test_beams(choices: dict) -> None:
    """The state follows its beam: the same text as without one, and likelier than the greedy."""
    model, source = build(seed=7, **choices), ids(3, 7)
    source[1, 5:] = 0
    fixed = {"max_new_tokens": 6, "min_new_tokens": 6, "do_sample": False}
    inputs = {"input_ids": source, "attention_mask": (source > 0).long()}
    found = model.generate(**inputs, num_beams=4, **fixed)
    assert torch.equal(found, model.generate(**inputs, num_beams=4, use_cache=False, **fixed))
    greedy = model.generate(**inputs, **fixed)

    def likelihood(text: torch.Tensor) -> torch.Tensor:
        logits = model(**inputs, decoder_input_ids=text[:, :-1]).logits
        logits[..., 1] = -torch.inf
        return logits.log_softmax(-1).gather(-1, text[:, 1:, None]).sum((1, 2))

    assert (likelihood(found) >= likelihood(greedy) - 1e-5).all()
    assert not torch.equal(found, greedy)


def test_dropout_only_while_training() -> None:
    model, inputs = build(dropout=0.5), given()
    assert torch.equal(model(**inputs).logits, model(**inputs).logits)
    model.train()
    assert not torch.equal(model(**inputs).logits, model(**inputs).logits)


def test_results_come_as_a_tuple_too() -> None:
    model, inputs = build(), given()
    found = model(**inputs, use_cache=False, return_dict=False)
    assert torch.equal(found[0], model(**inputs).logits)
    assert model(**inputs, use_cache=False).past_key_values is None


def test_embeddings_can_be_put_in_place() -> None:
    model = build()
    table = torch.nn.Embedding(WORDS, 12)
    model.set_input_embeddings(table)
    assert model.get_input_embeddings() is table


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"score": "euclid"}, "score 'euclid' does not exist"),
        ({"cell": "rnn"}, "cell 'rnn' does not exist"),
        ({"encoder": "none"}, "encoder 'none' does not exist"),
        ({"width": 11}, "width 11 and kernel_size 3 do not fit"),
        ({"kernel_size": 4}, "width 96 and kernel_size 4 do not fit"),
    ],
)
def test_config_names_what_is_wrong(choices: dict, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        RecurrentConfig(**choices)


def test_fresh_weights_follow_the_seed() -> None:
    def fresh() -> list[torch.Tensor]:
        torch.manual_seed(5)
        return [*RecurrentForConditionalGeneration(RecurrentConfig()).parameters()]

    assert all(torch.equal(a, b) for a, b in zip(fresh(), fresh(), strict=True))
    assert all(one.isfinite().all() and one.abs().max() < 1 for one in fresh())
