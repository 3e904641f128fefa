"""Tiny real models and tokenizers, made on the spot and saved to folders."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)
from transformers import PreTrainedTokenizerFast

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import PreTrainedTokenizerBase

LETTERS = "abcdefghijklmnopqrstuvwxyzT0123456789.,!?'-:@ßé你好"
WORDS = ["the", "cat", "sat", "on", "mat", "it", "was", "tired", "un", "eine", "katze"]


def numbered(tokens: list[str]) -> dict[str, int]:
    """A vocabulary with these tokens, each once, in this order."""
    return {token: number for number, token in enumerate(dict.fromkeys(tokens))}


def merges_of(words: list[str], space: str) -> list[tuple[str, str]]:
    """The merges that build every word from its letters, and then put a space in front."""
    pairs = [(word[:end], word[end]) for word in words for end in range(1, len(word))]
    return list(dict.fromkeys(pairs + [(space, word) for word in words]))


def wordpiece(**settings: Any) -> PreTrainedTokenizerFast:
    """BERT's kind: lower case, `##`, `[CLS] a [SEP] b [SEP]`."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = [*LETTERS, *(f"##{letter}" for letter in LETTERS), *WORDS, "##believ", "##able"]
    backend = Tokenizer(models.WordPiece(numbered(special + pieces), unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(strip_accents=False)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    backend.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        model_max_length=40,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(names, special, strict=True)),
        **settings,
    )


def byte_backend(special: list[str]) -> Tokenizer:
    """Byte-level BPE that knows some words, with and without a space in front."""
    merges = merges_of(WORDS, "Ġ")
    pieces = [*sorted(pre_tokenizers.ByteLevel.alphabet()), *(a + b for a, b in merges)]
    backend = Tokenizer(models.BPE(numbered(special + pieces), merges))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return backend


def byte_level(*, bos: bool = True) -> PreTrainedTokenizerFast:
    """GPT-2's kind, without special tokens around the text."""
    backend = byte_backend(["<|end|>"])
    backend.post_processor = processors.ByteLevel(trim_offsets=False)
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="<|end|>",
        **({"bos_token": "<|end|>"} if bos else {}),
        model_input_names=["input_ids", "attention_mask"],
    )


def roberta_tokenizer() -> PreTrainedTokenizerFast:
    """RoBERTa's and BART's kind: `<s> a </s></s> b </s>`."""
    backend = byte_backend(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    backend.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
    )


def unigram() -> PreTrainedTokenizerFast:
    """T5's kind: SentencePiece pieces with U+2581, `a </s> b </s>`."""
    special = ["<pad>", "</s>", "<unk>"]
    words = [*WORDS, *(f"\u2581{word}" for word in WORDS)]
    scores = dict.fromkeys(special, 0.0) | dict.fromkeys([*LETTERS, "\u2581"], -9.0)
    pieces = list((scores | dict.fromkeys(words, -4.0)).items())
    backend = Tokenizer(models.Unigram(pieces, unk_id=2))
    backend.add_special_tokens(special)
    backend.normalizer = normalizers.NFKC()
    backend.pre_tokenizer = pre_tokenizers.Metaspace()
    backend.decoder = decoders.Metaspace()
    backend.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        eos_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )


def byte_fallback() -> PreTrainedTokenizerFast:
    """Llama's kind: SentencePiece BPE with a byte for what it does not know, `<s> a`."""
    special = ["<unk>", "<s>", "</s>"]
    merges = merges_of(WORDS, "\u2581")
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = [*bytes_, *LETTERS, "\u2581", *(a + b for a, b in merges)]
    backend = Tokenizer(
        models.BPE(numbered(special + pieces), merges, unk_token="<unk>", byte_fallback=True)
    )
    backend.add_special_tokens(special)
    backend.normalizer = normalizers.Sequence(
        [normalizers.Prepend("\u2581"), normalizers.Replace(" ", "\u2581")]
    )
    backend.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    backend.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        model_input_names=["input_ids", "attention_mask"],
    )


def save(folder: Path, model: Any, tokenizer: PreTrainedTokenizerBase | None = None) -> Path:
    """The folder, with the model and its tokenizer in it."""
    model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return folder


def built(cls: Any, config: Any, seed: int = 0) -> Any:
    """A model of this class with random weights, the same for the same seed."""
    torch.manual_seed(seed)
    return cls(config).eval()


def bert(folder: Path, head: str = "ForMaskedLM", **settings: Any) -> Path:
    """A BERT of two layers and four heads that reads 40 tokens."""
    import transformers

    tokenizer = wordpiece()
    config = transformers.BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=40,
        **settings,
    )
    return save(folder, built(getattr(transformers, f"Bert{head}"), config), tokenizer)


def gpt2(folder: Path, head: str = "LMHeadModel", *, bos: bool = True, **settings: Any) -> Path:
    """A GPT-2 of two layers and four heads that reads 64 tokens."""
    import transformers

    tokenizer = byte_level(bos=bos)
    config = transformers.GPT2Config(
        vocab_size=len(tokenizer),
        n_embd=32,
        n_layer=2,
        n_head=4,
        n_positions=64,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        **settings,
    )
    return save(folder, built(getattr(transformers, f"GPT2{head}"), config), tokenizer)


def llama(folder: Path, head: str = "ForCausalLM", **settings: Any) -> Path:
    """A grouped-query Llama of three layers, four heads and two key-value heads."""
    import transformers

    tokenizer = byte_fallback()
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        **settings,
    )
    return save(folder, built(getattr(transformers, f"Llama{head}"), config), tokenizer)


def t5(folder: Path) -> Path:
    """A T5 with two encoder and three decoder layers."""
    from transformers import T5Config, T5ForConditionalGeneration

    tokenizer = unigram()
    config = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_decoder_layers=3,
        num_heads=4,
        decoder_start_token_id=0,
        pad_token_id=0,
        eos_token_id=1,
    )
    return save(folder, built(T5ForConditionalGeneration, config), tokenizer)


def bart(folder: Path, head: str = "ForConditionalGeneration") -> Path:
    """A BART whose decoder starts with the end token."""
    import transformers

    tokenizer = roberta_tokenizer()
    config = transformers.BartConfig(
        vocab_size=len(tokenizer),
        d_model=32,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=48,
        decoder_ffn_dim=48,
        max_position_embeddings=64,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=2,
    )
    return save(folder, built(getattr(transformers, f"Bart{head}"), config), tokenizer)


def roberta(folder: Path) -> Path:
    """A RoBERTa: 42 rows of positions, of which the first two are never used by text."""
    from transformers import RobertaConfig, RobertaForMaskedLM

    tokenizer = roberta_tokenizer()
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=48,
        max_position_embeddings=42,
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
    )
    return save(folder, built(RobertaForMaskedLM, config), tokenizer)


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a folder's config.json; None takes a key out."""
    config = json.loads((path / "config.json").read_text()) | changes
    config = {key: value for key, value in config.items() if value is not None}
    (path / "config.json").write_text(json.dumps(config))
