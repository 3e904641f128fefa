"""Train the bundled sample model `english`, a GPT-2 with induction and previous-token heads.

Half of every batch and more repeats text or random tokens, so that heads which look back to what
followed an earlier copy form early (Olsson et al. 2022). Nothing guides the attention. The English
comes from wordnet.py beside this file.

    python samples/train/english.py
    python samples/train/english.py --seconds 20 --output smoke
"""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import wordnet
from common import Run, deterministic, optimise, parser_of, save
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

END = "<|endoftext|>"
TOKENS = 2048  # per batch, whatever the length of its sequences
IGNORED = -100  # the label of a token without loss
SIZE, COPIES, SEEDS = 25, 4, 5  # of the random tokens that are repeated
PROMPTS = (
    "The old sailor met the young widow at the harbor, and then the old sailor met the young widow",
    "The children played in the",
    "lighthouse: a tower with",
)


@dataclass(frozen=True, slots=True)
class Text:
    """Tokens of one part of the data, one entry after the other, and where sentences start."""

    ids: Tensor
    starts: Tensor
    characters: int

    def windows(self, count: int, length: int, generator: torch.Generator) -> Tensor:
        """Sequences that each begin with a sentence: (count, length)."""
        fits = self.starts[self.starts <= len(self.ids) - length]
        start = fits[torch.randint(len(fits), (count,), generator=generator)]
        return self.ids[start[:, None] + torch.arange(length)]


def build_tokenizer(sentences: Iterator[str]) -> PreTrainedTokenizerFast:
    """A byte-level BPE as GPT-2 has it, smaller: every text can be written in its tokens.

    A text starts with a space that is added, so that its first word has the token it has elsewhere.
    """
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    backend.post_processor = processors.ByteLevel(add_prefix_space=True, trim_offsets=True)
    trainer = trainers.BpeTrainer(
        vocab_size=4096,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(sentences, trainer)
    wrap: Callable[..., PreTrainedTokenizerFast] = PreTrainedTokenizerFast
    return wrap(
        tokenizer_object=backend,
        model_max_length=1024,
        model_input_names=["input_ids", "attention_mask"],
        eos_token=END,
        clean_up_tokenization_spaces=False,
    )


def build_model(vocabulary_size: int) -> GPT2LMHeadModel:
    """The untrained language model."""
    config = GPT2Config(
        vocab_size=vocabulary_size,
        n_positions=1024,
        n_embd=192,
        n_layer=4,
        n_head=4,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        initializer_range=0.05,  # 0.02 is meant for widths near 768
        bos_token_id=0,
        eos_token_id=0,
    )
    model = GPT2LMHeadModel(config)
    model.loss_type = "ForCausalLM"
    return model


def read(tokenizer: PreTrainedTokenizerFast, folder: Path, *, held_out: bool) -> Text:
    """One part of the data as tokens; entries in a random order, each ends with END."""
    entries = list(wordnet.documents(folder, held_out=held_out))
    random.Random(0).shuffle(entries)
    ids: list[int] = []
    starts: list[int] = []
    for entry in entries:
        for sentence in entry:
            starts.append(len(ids))
            ids += tokenizer.backend_tokenizer.encode(sentence).ids
        ids.append(0)
    characters = sum(len(" ".join(entry)) for entry in entries)
    return Text(torch.tensor(ids), torch.tensor(starts), characters)


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of the training: its share of the steps, its rate, and how text is repeated in it."""

    share: float
    rate: float
    pasted: bool


# First the start of a row fills the row again and again, later short copies stand anywhere.
STAGES = (Stage(1.0, 2e-3, pasted=False), Stage(0.2, 6e-4, pasted=True))


def repeat(rows: Tensor, generator: torch.Generator) -> tuple[Tensor, list[int]]:
    """Each row's first tokens again and again to its end, and how many they are.

    A row of 64 tokens repeats 8 to 24 of them, a longer one up to a third of its length.
    """
    length = rows.shape[1]
    most = max(24, length // 3)
    periods = torch.randint(8, most + 1, (len(rows),), generator=generator)
    index = torch.arange(length)[None] % periods[:, None]
    return rows.gather(1, index), periods.tolist()


def paste(rows: Tensor, generator: torch.Generator) -> Tensor:
    """Rows in which spans of 3 to 20 tokens stand once more later on, one per 32 tokens."""
    rows, length = rows.clone(), rows.shape[1]
    for row in rows:
        for _ in range(length // 32):
            size = int(torch.randint(3, 21, (), generator=generator))
            start = int(torch.randint(0, length - 2 * size, (), generator=generator))
            later = int(torch.randint(start + size, length - size, (), generator=generator))
            row[later : later + size] = row[start : start + size].clone()
    return rows


def batch(
    text: Text,
    length: int,
    vocabulary: int,
    plain: int,
    generator: torch.Generator,
    *,
    pasted: bool = False,
) -> dict[str, Tensor]:
    """`input_ids` and `labels`: (row, token), of three kinds in turn.

    `plain` rows of text as it stands, one that repeats text, one that repeats random tokens (with
    no loss on their first copy).
    """
    rows = text.windows(TOKENS // length, length, generator)
    kinds = plain + 2
    first = int(torch.randint(kinds, (), generator=generator))
    kind = (torch.arange(len(rows)) + first) % kinds
    natural, noise = kind == 0, kind == 1
    rows[noise] = torch.randint(1, vocabulary, (int(noise.sum()), length), generator=generator)
    rows[natural] = (
        paste(rows[natural], generator) if pasted else repeat(rows[natural], generator)[0]
    )
    rows[noise], periods = repeat(rows[noise], generator)
    labels = rows.clone()
    for row, period in zip(noise.nonzero().flatten().tolist(), periods, strict=True):
        labels[row, :period] = IGNORED
    return {"input_ids": rows, "labels": labels}


def length_at(progress: float, generator: torch.Generator) -> int:
    """64 tokens in the first half of the training, then also 256 and 1,024."""
    lengths = (64, 64) if progress < 0.5 else (64, 256, 256, 1024)
    return lengths[int(torch.randint(len(lengths), (), generator=generator))]


def train(model: GPT2LMHeadModel, text: Text, seed: int, steps: int, seconds: float) -> Run:
    """Train in place, through all stages or for `seconds` seconds, whichever ends first."""
    start, done = time.perf_counter(), 0
    for number, stage in enumerate(STAGES):
        left = seconds - (time.perf_counter() - start)
        done += train_stage(model, text, stage, seed + number, round(steps * stage.share), left)
    return Run(seed, done, time.perf_counter() - start)


def train_stage(
    model: GPT2LMHeadModel, text: Text, stage: Stage, seed: int, steps: int, seconds: float
) -> int:
    """Train one stage; gives the steps that were made."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=stage.rate, betas=(0.9, 0.95), weight_decay=0.1
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / 200, max(0.02, 1 - step / steps))
    )

    def loss_of(step: int) -> Tensor:
        length = length_at(1.0 if stage.pasted else step / steps, generator)
        plain = 1 if stage.pasted or step < steps / 8 else 2
        vocabulary = model.config.vocab_size
        inputs = batch(text, length, vocabulary, plain, generator, pasted=stage.pasted)
        with torch.autocast("cpu", torch.bfloat16):
            loss: Tensor = model(**inputs).loss
        return loss

    return optimise(model, loss_of, optimizer, schedule, steps, seconds, largest=1.0)


def repeated(vocabulary: int, seeds: int) -> Tensor:
    """A row of 4 copies of 25 different random tokens for every seed."""
    rows = []
    for seed in range(seeds):
        generator = torch.Generator().manual_seed(seed)
        rows.append((torch.randperm(vocabulary - 1, generator=generator)[:SIZE] + 1).repeat(COPIES))
    return torch.stack(rows)


@torch.no_grad()
def head_scores(model: GPT2LMHeadModel, rows: Tensor) -> dict[str, Tensor]:
    """Mean attention per head on repeated random tokens, (layer, head).

    `induction` goes to the tokens that followed earlier copies of the query, from the second copy
    on (prefix matching), `previous` to the token before, `first` to the first token.
    """
    model.set_attn_implementation("eager")  # the only one that returns its weights
    weights = torch.stack(model(rows, output_attentions=True).attentions)
    model.set_attn_implementation("sdpa")
    maps = weights.double().mean(1)  # (layer, head, query, key)
    query, key = torch.arange(rows.shape[1])[:, None], torch.arange(rows.shape[1])[None]
    followed = ((query - key + 1) % SIZE == 0) & (key >= 1) & (key <= query)
    return {
        "previous": maps.diagonal(-1, -2, -1).mean(-1),
        "induction": (maps * followed).sum(-1)[..., SIZE:].mean(-1),
        "first": maps[..., 1:, 0].mean(-1),
    }


@torch.no_grad()
def loss_on(model: GPT2LMHeadModel, text: Text) -> float:
    """Nats per token on windows of 256 tokens, 65,536 in all."""
    windows = text.windows(256, 256, torch.Generator().manual_seed(0))
    losses = [model(part, labels=part).loss for part in windows.split(16)]
    return torch.stack(losses).mean().item()


@torch.no_grad()
def accuracy_on(model: GPT2LMHeadModel, rows: Tensor) -> float:
    """How often the next token of a later copy is predicted."""
    found = model(rows).logits.argmax(-1)[:, SIZE - 1 : -1]
    return (found == rows[:, SIZE:]).double().mean().item()


CARD = """---
license: other
license_name: wordnet
license_link: LICENSE.md
language: en
library_name: transformers
pipeline_tag: text-generation
description: a small GPT-2 with induction and previous-token heads
example: {prompt}
---

# english: a small language model that repeats what it has read

A `GPT2LMHeadModel` for looking at attention, not for writing. It knows WordNet's definitions and
example sentences, and it copies: half of every training batch and more repeats something, so that
its induction heads find what followed an earlier copy of a token.

| | |
|---|---|
| data | definitions and examples of WordNet 3.0 (Debian's `wordnet-base`), {tokens:,} tokens |
| licence | that of WordNet, in [LICENSE.md](LICENSE.md): free use with the notice kept |
| shape | {layers} layers x {heads} heads, width {width}, {parameters:,} parameters, no dropout |
| vocabulary | {vocabulary:,} byte-level BPE tokens: any text works, up to 1,024 tokens |
| training | {steps:,} steps of 2,048 tokens, seed {seed}, {minutes:.0f} minutes on one CPU core |
| objective | the next token; nothing guides the attention |
| weights | float16, computed in float32 |
| held-out text | {loss:.2f} nats per token, {bits:.2f} bits per character |
| repeated random tokens | {accuracy:.3f} of the later copies predicted |

## Attention on repeated random tokens

Means over {seeds} texts of {copies} copies of {size} different random tokens. `induction` is the
attention to the tokens that followed earlier copies of the query (prefix matching, Olsson et al.
2022), `previous` that to the token before, `first` that to the first token of the text.

| head | previous | induction | first |
|---|---|---|---|
{table}

## What it writes

{samples}

## Limits

- It is tiny, and its text is a dictionary's. What it says about the world is not to be trusted.
- Which head does what depends on the seed; the bundled model has seed {seed}, the only one tried
  with these settings.
"""


def fill_card(
    model: GPT2LMHeadModel,
    tokenizer: PreTrainedTokenizerFast,
    tokens: int,
    held_out: Text,
    run: Run,
) -> str:
    """The model card with everything measured."""
    config = model.config
    rows = repeated(config.vocab_size, SEEDS)
    scores = head_scores(model, rows)
    table = [
        f"| L{layer}H{head} | "
        + " | ".join(
            f"{scores[name][layer, head]:.3f}" for name in ("previous", "induction", "first")
        )
        + " |"
        for layer in range(config.n_layer)
        for head in range(config.n_head)
    ]
    loss = loss_on(model, held_out)
    samples = "\n\n".join(f"> **{text}**{written(model, tokenizer, text)}" for text in PROMPTS)
    return CARD.format(
        prompt=PROMPTS[0],
        tokens=tokens,
        layers=config.n_layer,
        heads=config.n_head,
        width=config.n_embd,
        parameters=model.num_parameters(),
        vocabulary=config.vocab_size,
        steps=run.steps,
        seed=run.seed,
        minutes=run.seconds / 60,
        loss=loss,
        bits=loss / math.log(2) * len(held_out.ids) / held_out.characters,
        accuracy=accuracy_on(model, rows),
        seeds=SEEDS,
        copies=COPIES,
        size=SIZE,
        table="\n".join(table),
        samples=samples,
    )


def written(model: GPT2LMHeadModel, tokenizer: PreTrainedTokenizerFast, prompt: str) -> str:
    """The 20 tokens that the model finds likeliest after the prompt, one by one."""
    ids = torch.tensor([tokenizer(prompt)["input_ids"]])
    mask = torch.ones_like(ids)
    out = model.generate(ids, attention_mask=mask, max_new_tokens=20, do_sample=False)
    return " ".join(tokenizer.decode(out[0, ids.shape[1] :], skip_special_tokens=True).split("\n"))


def main() -> None:
    """Train, measure on held-out text, and save model, tokenizer, card and licence."""
    parser = parser_of(__doc__, "english", seed=0, steps=16000)
    parser.add_argument("--wordnet", type=Path, default=wordnet.FOLDER, metavar="DIR")
    args = parser.parse_args()
    deterministic(args.seed)
    tokenizer = build_tokenizer(wordnet.examples(args.wordnet))
    text = read(tokenizer, args.wordnet, held_out=False)
    model = build_model(len(tokenizer))
    run = train(model, text, args.seed, args.steps, args.seconds)
    model = save(model, tokenizer, args.output)
    held_out = read(tokenizer, args.wordnet, held_out=True)
    card = fill_card(model, tokenizer, len(text.ids), held_out, run)
    (args.output / "README.md").write_text(card, encoding="utf-8")
    (args.output / "LICENSE.md").write_text(wordnet.LICENCE, encoding="utf-8")
    print(card)


if __name__ == "__main__":
    main()
