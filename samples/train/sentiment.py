"""Train the bundled sample model `sentiment`, a BERT classifier whose evidence is known.

The words that decide a review's label (its rationale) are known exactly, so the attention of the
model can be compared with them. The reviews come from reviews.py beside this file.

    python samples/train/sentiment.py
    python samples/train/sentiment.py --seconds 5 --output smoke
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import torch
from common import Run, arguments, optimise, save
from reviews import LABELS, SEGMENT, Review, reviews, vocabulary
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

if TYPE_CHECKING:
    from collections.abc import Callable

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A lowercase word-level tokenizer with BERT's special tokens."""
    words = [*SPECIALS, *vocabulary()]
    ids = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(ids, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    wrap: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=backend,
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(names, SPECIALS, strict=True)),
    )


def build_model(vocabulary_size: int) -> BertForSequenceClassification:
    """The untrained classifier."""
    config = BertConfig(
        vocab_size=vocabulary_size,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,  # 0.02 is meant for widths near 768
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    return BertForSequenceClassification(config)


def all_heads(model: BertForSequenceClassification) -> list[tuple[int, int]]:
    """(layer, head) of every head."""
    layers, heads = model.config.num_hidden_layers, model.config.num_attention_heads
    return [(layer, head) for layer in range(layers) for head in range(heads)]


def encode(batch: list[Review], tokenizer: PreTrainedTokenizerBase) -> dict[str, Tensor]:
    """Padded `input_ids`, `token_type_ids`, `attention_mask`: (review, token); and `labels`."""
    rows = tokenizer([" ".join(review.words) for review in batch], padding=True)
    ids, mask = torch.tensor(rows["input_ids"]), torch.tensor(rows["attention_mask"])
    ends = (ids == SPECIALS.index(SEGMENT)).long()
    return {
        "input_ids": ids,
        "token_type_ids": (ends.cumsum(1) - ends).clamp(max=1) * mask,
        "attention_mask": mask,
        "labels": torch.tensor([review.label for review in batch]),
    }


def hide_words(ids: Tensor, batch: list[Review], generator: torch.Generator) -> Tensor:
    """`ids` with 5 % of the words outside the rationale made [UNK] or [MASK], to train both."""
    hidden = (torch.rand(ids.shape, generator=generator) < 0.05) & (ids >= len(SPECIALS))
    for row, review in enumerate(batch):
        hidden[row, [index + 1 for index in review.rationale]] = False
    unknown, mask = SPECIALS.index("[UNK]"), SPECIALS.index("[MASK]")
    either = torch.where(torch.rand(ids.shape, generator=generator) < 0.5, unknown, mask)
    return torch.where(hidden, either, ids)


def train(
    model: BertForSequenceClassification,
    tokenizer: PreTrainedTokenizerBase,
    seed: int,
    steps: int,
    seconds: float,
) -> Run:
    """Train in place, for `steps` steps or `seconds` seconds, whichever ends first."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    stream, start = reviews(seed, held_out=False), time.perf_counter()

    def loss_of(_: int) -> Tensor:
        batch = list(islice(stream, 64))
        inputs = encode(batch, tokenizer)
        inputs["input_ids"] = hide_words(inputs["input_ids"], batch, generator)
        loss: Tensor = model(**inputs).loss
        return loss

    done = optimise(model, loss_of, optimizer, schedule, steps, seconds)
    return Run(seed, done, time.perf_counter() - start)


@torch.no_grad()
def attention_of_cls(
    model: BertForSequenceClassification, inputs: dict[str, Tensor], batch: list[Review]
) -> dict[str, list[float]]:
    """[CLS]'s mean attention per head: plain; negated on polarity, negator, both; all reviews."""
    model.set_attn_implementation("eager")  # the only one that returns its weights
    weights = model(**inputs, output_attentions=True).attentions
    negated = torch.tensor([review.negator is not None for review in batch])
    rows = torch.arange(len(batch))
    polarity = torch.tensor([review.polarity + 1 for review in batch])  # [CLS] comes first
    negator = torch.tensor([(review.negator or 0) + 1 for review in batch])
    heads = {}
    for layer, head in all_heads(model):
        on_polarity = weights[layer][rows, head, 0, polarity].double()
        on_negator = weights[layer][rows, head, 0, negator].double() * negated
        both = on_polarity + on_negator
        groups = (on_polarity[~negated], on_polarity[negated], on_negator[negated], both[negated])
        heads[f"L{layer}H{head}"] = [group.mean().item() for group in (*groups, both)]
    return heads


@torch.no_grad()
def accuracy(model: BertForSequenceClassification, inputs: dict[str, Tensor]) -> Tensor:
    """1.0 for each review that is classified correctly, else 0.0."""
    logits: Tensor = model(**inputs).logits  # (review, label)
    return (logits.argmax(-1) == inputs["labels"]).double()


def accuracy_without(
    model: BertForSequenceClassification, inputs: dict[str, Tensor], layer: int, head: int
) -> float:
    """The accuracy on all reviews when the output of one head is set to zero."""

    def silence(_: nn.Module, args: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        width = model.config.hidden_size // model.config.num_attention_heads
        context = args[0].clone()
        context[..., head * width : (head + 1) * width] = 0.0
        return (context, *args[1:])

    mixer = model.get_submodule(f"bert.encoder.layer.{layer}.attention.output.dense")
    handle = mixer.register_forward_pre_hook(silence)
    try:
        return accuracy(model, inputs).mean().item()
    finally:
        handle.remove()


CARD = """---
license: apache-2.0
language: en
library_name: transformers
pipeline_tag: text-classification
description: a classifier of reviews; one head finds the words that decide
example: We saw it on monday and the film was not really very good.
---

# sentiment: a small classifier whose evidence is known

A `BertForSequenceClassification` for looking at attention, not for judging real reviews. Every
training review holds exactly one polarity word and at most one negator that flips it: these words
are its rationale, and nothing else in it bears on the label.

| | |
|---|---|
| data | synthetic English reviews from the grammar in `samples/train/reviews.py`, Apache-2.0 |
| shape | {layers} layers x {heads} heads, width {width}, {parameters:,} parameters, no dropout |
| vocabulary | {vocabulary} lowercase words and marks; any other word becomes `[UNK]` |
| training | {steps} steps of 64 reviews, seed {seed}, {seconds:.0f} s on one CPU core |
| objective | cross-entropy on the label only: nothing guides the attention |
| weights | float16, computed in float32 |
| accuracy on {count} held-out reviews | all {all:.4f}, plain {plain:.4f}, negated {negated:.4f} |

## Attention of [CLS], mean over the held-out reviews

Plain reviews have one word of evidence, negated ones two ("both"). The head with the most
attention on the rationale over all reviews is **{best}** with {share:.3f}. The last column is the
accuracy when the output of that head is set to zero.

| head | plain: polarity | negated: polarity | negated: negator | negated: both | all | without |
|---|---|---|---|---|---|---|
{table}

## Limits

- How the heads divide the work depends on the seed. The bundled model has seed 5, chosen for its
  attention among the seeds 0 to 13. All of them reach an accuracy of 0.999 or more; nine
  have a head with at least 0.9 of [CLS]'s attention on the rationale, in the others the evidence
  is spread over several heads.
- Words outside the vocabulary, contractions such as `wasn't`, and texts with two opinions are
  beyond it, and the label of a text without an opinion means nothing. Texts are at most 64 tokens.
- Attention on the rationale is a property of this model and its data. It is no evidence that
  attention explains the decisions of other models.
"""


def fill_card(
    model: BertForSequenceClassification, inputs: dict[str, Tensor], batch: list[Review], run: Run
) -> str:
    """The model card with everything measured on `batch`."""
    right = accuracy(model, inputs)
    negated = torch.tensor([review.negator is not None for review in batch])
    shares = attention_of_cls(model, inputs, batch)
    best = max(shares, key=lambda name: shares[name][-1])
    rows = []
    for (layer, head), (name, share) in zip(all_heads(model), shares.items(), strict=True):
        numbers = [*share, accuracy_without(model, inputs, layer, head)]
        rows.append(f"| {name} | {' | '.join(f'{number:.3f}' for number in numbers)} |")
    return CARD.format(
        layers=model.config.num_hidden_layers,
        heads=model.config.num_attention_heads,
        width=model.config.hidden_size,
        parameters=model.num_parameters(),
        vocabulary=model.config.vocab_size,
        steps=run.steps,
        seed=run.seed,
        seconds=run.seconds,
        count=len(batch),
        all=right.mean().item(),
        plain=right[~negated].mean().item(),
        negated=right[negated].mean().item(),
        best=best,
        share=shares[best][-1],
        table="\n".join(rows),
    )


def main() -> None:
    """Train, measure on held-out reviews, and save model, tokenizer and card."""
    args = arguments(__doc__, "sentiment", seed=5, steps=1500)
    tokenizer = build_tokenizer()
    model = build_model(len(tokenizer))
    run = train(model, tokenizer, args.seed, args.steps, args.seconds)
    model = save(model, tokenizer, args.output)
    held_out = list(islice(reviews(args.seed + 1, held_out=True), 2000))
    card = fill_card(model, encode(held_out, tokenizer), held_out, run)
    (args.output / "README.md").write_text(card, encoding="utf-8")
    print(card)


if __name__ == "__main__":
    main()
