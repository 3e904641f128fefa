"""Train the bundled sample models `rnn-…`, recurrent translators that differ in their score.

They learn the sentences of translate.py, with its tokenizer. Nothing guides the attention.

    python samples/train/recurrent.py --score additive
    python samples/train/recurrent.py --score dot --seconds 20 --output smoke
"""

from __future__ import annotations

import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from common import Run, deterministic, optimise, parser_of, save
from sentences import Phrase, sentences, vocabulary
from translate import build_tokenizer, encode, error_rate, exact_match, links

from attnviz.mechanisms.families import FAMILIES
from attnviz.mechanisms.recurrent import RecurrentConfig, RecurrentForConditionalGeneration

if TYPE_CHECKING:
    import argparse

    from torch import Tensor
    from transformers import PreTrainedTokenizerFast

SCORES = ("additive", "dot", "general", "scaled-dot")


def build_model(vocabulary_size: int, score: str) -> RecurrentForConditionalGeneration:
    """The untrained translator."""
    config = RecurrentConfig(vocab_size=vocabulary_size, width=96, score=score)
    model = RecurrentForConditionalGeneration(config)
    model.generation_config.max_new_tokens = 32
    model.generation_config.bad_words_ids = [[config.pad_token_id]]
    return model


def groups(model: RecurrentForConditionalGeneration) -> list[dict[str, Any]]:
    """The parameters and their learning rates.

    W of the general score learns ten times slower: as fast as the states, it soon asks for the
    neighbours of words.
    """
    if model.config.score != "general":
        return [{"params": [*model.parameters()], "lr": 5e-3}]
    slow = model.decoder.cross_attention.parameters_of_score["W"]
    others = [one for one in model.parameters() if one is not slow]
    return [{"params": others, "lr": 5e-3}, {"params": [slow], "lr": 5e-4}]


def train(
    model: RecurrentForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    seed: int,
    steps: int,
    seconds: float,
) -> Run:
    """Train in place, for `steps` steps or `seconds` seconds, whichever ends first."""
    optimizer = torch.optim.AdamW(groups(model), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 100, max(0.0, 1 - step / steps))
    )
    stream, start = sentences(seed, held_out=False), time.perf_counter()

    def loss_of(_: int) -> Tensor:
        loss: Tensor = model(**encode(list(islice(stream, 64)), tokenizer)).loss
        return loss

    done = optimise(model, loss_of, optimizer, schedule, steps, seconds, largest=1.0)
    return Run(seed, done, time.perf_counter() - start)


@torch.no_grad()
def alignments(
    model: RecurrentForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    batch: list[Phrase],
) -> list[Tensor]:
    """The weights of every sentence, (target word, source word), and the row after the last."""
    maps = model(**encode(batch, tokenizer), output_attentions=True).cross_attentions[0][:, 0]
    return [
        rows[: len(one.target) + 1, : len(one.source)].double()
        for rows, one in zip(maps, batch, strict=True)
    ]


ASKING = {
    True: "previous decoder state asks, s_{t-1}, and what it finds goes into the next (Bahdanau "
    "et al. 2014)",
    False: "current decoder state asks, s_t, and what it finds is joined to it and fed to the "
    "next step (Luong et al. 2015)",
}

CARD = """---
license: apache-2.0
language:
- en
- fr
library_name: attnviz
pipeline_tag: translation
description: English to French by a GRU with attention, {score} score
example: the old sad king often paints a small grey house .
target: le vieux roi triste peint souvent une petite maison grise .
---

# rnn-{score}: a recurrent translator that attends by the {score} score

A `RecurrentForConditionalGeneration` of `attnviz.mechanisms.recurrent`, which has one head of
cross attention and no other. The sentences are those of the sample `translate`: which English word
every French word translates is known exactly.

| | |
|---|---|
| score | {formula} ({paper}) |
| order | the {asking} |
| data | synthetic sentences from the grammar in `samples/train/sentences.py`, Apache-2.0 |
| shape | bidirectional GRU encoder, GRU decoder, width {width}, no dropout |
| size | {parameters:,} parameters |
| vocabulary | {english} English and {french} French words; any other word becomes `<unk>` |
| training | {steps} steps of 64 sentences, seed {seed}, {seconds:.0f} s on one CPU core |
| objective | cross-entropy of the next word only: nothing guides the attention |
| weights | float16, computed in float32 |
| greedy translations equal to the reference | {exact:.4f} of {count} held-out sentences |

## Alignment error rate of cross attention

Every French word is aligned with the English word of the largest weight. `predicts` takes the
decoder row that predicts the word, `reads` the row that reads it as its input.

| head | predicts | reads |
|---|---|---|
| L0H0 | {predicts:.3f} | {reads:.3f} |

## Limits

- It knows its {english} words and singular sentences of at most 16 words.
- That the weights show the alignment is a property of this model and its data: a recurrent encoder
  mixes neighbouring words, and a model may look beside the word it translates. Models of this kind
  that translate as well, from other seeds and learning rates, had error rates of up to 0.2.
- The transformers library alone does not load it. `attnviz.load` does, and runs no code from the
  folder.
"""


def fill_card(
    model: RecurrentForConditionalGeneration,
    tokenizer: PreTrainedTokenizerFast,
    batch: list[Phrase],
    run: Run,
) -> str:
    """The model card with everything measured on `batch`."""
    weights = alignments(model, tokenizer, batch)
    rates = [error_rate([links(one, shift) for one in weights], batch) for shift in (0, 1)]
    english, french = vocabulary()
    family = FAMILIES[model.config.score]
    return CARD.format(
        score=family.name,
        formula=family.formula,
        paper=family.paper,
        asking=ASKING[model.decoder.asks_first],
        width=model.config.width,
        parameters=model.num_parameters(),
        english=len(english),
        french=len(french),
        steps=run.steps,
        seed=run.seed,
        seconds=run.seconds,
        exact=exact_match(model, tokenizer, batch),
        count=len(batch),
        predicts=rates[0],
        reads=rates[1],
    )


def arguments() -> argparse.Namespace:
    """The command line, read; torch is made deterministic."""
    parser = parser_of(__doc__, "rnn", seed=0, steps=1500)
    parser.add_argument("--score", choices=SCORES, default=SCORES[0])
    args = parser.parse_args()
    if args.output == parser.get_default("output"):
        args.output = Path(args.output).with_name(f"rnn-{args.score}")
    deterministic(args.seed)
    return args


def main() -> None:
    """Train, measure on held-out sentences, and save model, tokenizer and card."""
    args = arguments()
    tokenizer = build_tokenizer()
    model = build_model(len(tokenizer), args.score)
    run = train(model, tokenizer, args.seed, args.steps, args.seconds)
    model = save(model, tokenizer, args.output)
    held_out = list(islice(sentences(args.seed + 1, held_out=True), 1000))
    card = fill_card(model, tokenizer, held_out, run)
    (args.output / "README.md").write_text(card, encoding="utf-8")
    print(card)


if __name__ == "__main__":
    main()
