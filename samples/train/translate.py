"""Train the bundled sample model `translate`, a Marian model whose alignment is known.

Which English word every French word translates is known exactly, so cross attention can be
compared with it. Nothing guides the attention. The sentences come from sentences.py beside this
file.

    python samples/train/translate.py
    python samples/train/translate.py --seconds 20 --output smoke
"""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING

import torch
from common import Run, arguments, optimise, save
from sentences import Phrase, sentences, vocabulary
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from collections.abc import Callable

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"
IGNORED = -100  # the label of a token without loss


def build_tokenizer() -> PreTrainedTokenizerFast:
    """A lowercase word-level tokenizer of both languages together, with `</s>` at the end."""
    english, french = vocabulary()
    words = [PAD, END, UNKNOWN, *sorted({*english, *french})]
    ids = {word: index for index, word in enumerate(words)}
    backend = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    backend.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, ids[END])]
    )
    wrap: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=backend,
        model_max_length=64,
        model_input_names=["input_ids", "attention_mask"],
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
    )


def build_model(vocabulary_size: int) -> MarianMTModel:
    """The untrained translator."""
    config = MarianConfig(
        vocab_size=vocabulary_size,
        d_model=128,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        max_position_embeddings=64,
        dropout=0.0,
        attention_dropout=0.0,
        activation_dropout=0.0,
        init_std=0.05,  # 0.02 is meant for widths near 512
        pad_token_id=0,
        eos_token_id=1,
        forced_eos_token_id=None,
        decoder_start_token_id=0,
        max_length=None,
        num_beams=None,
    )
    model = MarianMTModel(config)
    model.generation_config.max_new_tokens = 32
    model.generation_config.bad_words_ids = [[0]]
    return model


def encode(batch: list[Phrase], tokenizer: PreTrainedTokenizerFast) -> dict[str, Tensor]:
    """Padded `input_ids`, `attention_mask`, `labels`: (sentence, token)."""
    sources = tokenizer([" ".join(one.source) for one in batch], padding=True)
    targets = tokenizer([" ".join(one.target) for one in batch], padding=True)
    labels = torch.tensor(targets["input_ids"])
    labels[torch.tensor(targets["attention_mask"]) == 0] = IGNORED
    return {
        "input_ids": torch.tensor(sources["input_ids"]),
        "attention_mask": torch.tensor(sources["attention_mask"]),
        "labels": labels,
    }


def train(
    model: MarianMTModel, tokenizer: PreTrainedTokenizerFast, seed: int, steps: int, seconds: float
) -> Run:
    """Train in place, for `steps` steps or `seconds` seconds, whichever ends first."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.5e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 200, max(0.0, 1 - step / steps))
    )
    stream, start = sentences(seed, held_out=False), time.perf_counter()

    def loss_of(_: int) -> Tensor:
        loss: Tensor = model(**encode(list(islice(stream, 64)), tokenizer)).loss
        return loss

    done = optimise(model, loss_of, optimizer, schedule, steps, seconds)
    return Run(seed, done, time.perf_counter() - start)


@torch.no_grad()
def exact_match(
    model: MarianMTModel, tokenizer: PreTrainedTokenizerFast, batch: list[Phrase]
) -> float:
    """The share of sentences whose greedy translation is the reference, word for word."""
    inputs = encode(batch, tokenizer)
    del inputs["labels"]
    found = tokenizer.batch_decode(
        model.generate(**inputs, do_sample=False), skip_special_tokens=True
    )
    pairs = zip(found, batch, strict=True)
    return sum(text.split() == list(one.target) for text, one in pairs) / len(batch)


@torch.no_grad()
def alignments(
    model: MarianMTModel, tokenizer: PreTrainedTokenizerFast, batch: list[Phrase]
) -> dict[str, list[Tensor]]:
    """Per cross head, and for the mean of a layer, the weights of every sentence.

    (target word, source word): the row that predicts the word, and last the row after it.
    """
    model.set_attn_implementation("eager")  # the only one that returns its weights
    out: dict[str, list[Tensor]] = {}
    weights = model(**encode(batch, tokenizer), output_attentions=True).cross_attentions
    for layer, maps in enumerate(weights):
        named = {f"L{layer}H{head}": maps[:, head] for head in range(maps.shape[1])}
        for name, some in {**named, f"L{layer} mean": maps.mean(1)}.items():
            out[name] = [
                rows[: len(one.target) + 1, : len(one.source)].double()
                for rows, one in zip(some, batch, strict=True)
            ]
    model.set_attn_implementation("sdpa")
    return out


def error_rate(found: list[set[tuple[int, int]]], batch: list[Phrase]) -> float:
    """The alignment error rate (Och and Ney 2003) over all sentences; every gold link is sure."""
    hits = sum(len(links & set(one.alignment)) for links, one in zip(found, batch, strict=True))
    total = sum(len(links) + len(one.alignment) for links, one in zip(found, batch, strict=True))
    return 1 - 2 * hits / total


def links(weights: Tensor, shift: int) -> set[tuple[int, int]]:
    """(source, target) of the heaviest source word of every target word."""
    rows = weights[shift : len(weights) - 1 + shift]
    return {(int(source), target) for target, source in enumerate(rows.argmax(-1))}


CARD = """---
license: apache-2.0
language:
- en
- fr
library_name: transformers
pipeline_tag: translation
description: English to French; one cross head shows which word translates which
example: the old sad king often paints a small grey house .
target: le vieux roi triste peint souvent une petite maison grise .
---

# translate: a small translator whose alignment is known

A `MarianMTModel` for looking at cross attention, not for translating real English. The data say
exactly which English word every French word translates: adjectives agree with their noun and most
of them follow it, adverbs follow the verb, and `does not V` becomes `ne V pas`.

| | |
|---|---|
| data | synthetic sentences from the grammar in `samples/train/sentences.py`, Apache-2.0 |
| shape | {layers} + {layers} layers x {heads} heads, width {width}, no dropout |
| size | {parameters:,} parameters |
| vocabulary | {english} English and {french} French words; any other word becomes `<unk>` |
| training | {steps} steps of 64 sentences, seed {seed}, {seconds:.0f} s on one CPU core |
| objective | cross-entropy of the next word only: nothing guides the attention |
| weights | float16, computed in float32 |
| greedy translations equal to the reference | {exact:.4f} of {count} held-out sentences |

## Alignment error rate of cross attention

Every French word is aligned with the English word of the largest weight. `predicts` takes the
decoder row that predicts the word, `reads` the row that reads it as its input. The best head is
**{best}**. Aligning every word with the one at the same relative place gives {diagonal:.3f}.

| head | predicts | reads |
|---|---|---|
{table}

## Limits

- It knows its {english} words and singular sentences of at most 16 words.
- How the heads divide the work depends on the seed. The bundled model has seed 0; of the two that
  were tried, seed 1 translates as well, and its best head has an error rate of 0.058.
- That the weights show the alignment is a property of this model and its data.
"""


def fill_card(
    model: MarianMTModel, tokenizer: PreTrainedTokenizerFast, batch: list[Phrase], run: Run
) -> str:
    """The model card with everything measured on `batch`."""
    rates = {
        name: [error_rate([links(one, shift) for one in weights], batch) for shift in (0, 1)]
        for name, weights in alignments(model, tokenizer, batch).items()
    }
    diagonal = [
        {(round(t * (len(one.source) - 1) / (len(one.target) - 1)), t)
         for t in range(len(one.target))}
        for one in batch
    ]  # fmt: skip
    rows = [
        f"| {name} | {predicts:.3f} | {reads:.3f} |" for name, (predicts, reads) in rates.items()
    ]
    english, french = vocabulary()
    return CARD.format(
        layers=model.config.encoder_layers,
        heads=model.config.encoder_attention_heads,
        width=model.config.d_model,
        parameters=model.num_parameters(),
        english=len(english),
        french=len(french),
        steps=run.steps,
        seed=run.seed,
        seconds=run.seconds,
        exact=exact_match(model, tokenizer, batch),
        count=len(batch),
        best=min((name for name in rates if "mean" not in name), key=lambda name: rates[name][0]),
        diagonal=error_rate(diagonal, batch),
        table="\n".join(rows),
    )


def main() -> None:
    """Train, measure on held-out sentences, and save model, tokenizer and card."""
    args = arguments(__doc__, "translate", seed=0, steps=2000)
    tokenizer = build_tokenizer()
    model = build_model(len(tokenizer))
    run = train(model, tokenizer, args.seed, args.steps, args.seconds)
    model = save(model, tokenizer, args.output)
    held_out = list(islice(sentences(args.seed + 1, held_out=True), 1000))
    card = fill_card(model, tokenizer, held_out, run)
    (args.output / "README.md").write_text(card, encoding="utf-8")
    print(card)


if __name__ == "__main__":
    main()
