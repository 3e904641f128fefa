"""Tiny translation models whose tokenizers are trained on a few sentences."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sentencepiece

from tests.models.tiny import built, save

if TYPE_CHECKING:
    from pathlib import Path

ENGLISH = ["the cat sat on the mat", "it was tired and the mat was warm", "a dog saw the cat"]
GERMAN = [
    "die katze schlief auf der matte",
    "sie war müde und das haus war warm",
    "ein hund sah sie",
]

SMALL: dict[str, Any] = {
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 4,
    "decoder_attention_heads": 4,
    "encoder_ffn_dim": 48,
    "decoder_ffn_dim": 48,
}
LENGTH = {"max_position_embeddings": 64}


def pieces_of(lines: list[str], prefix: Path, size: int) -> list[str]:
    """The pieces of a SentencePiece model trained on these lines and saved as `prefix`.model."""
    text = prefix.with_suffix(".txt")
    text.write_text("\n".join(lines * 20), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(text),
        model_prefix=str(prefix),
        model_type="bpe",
        vocab_size=size,
        minloglevel=2,
    )
    model = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    return [model.id_to_piece(number) for number in range(model.get_piece_size())]


def numbered(tokens: list[str], path: Path) -> Path:
    """A file of these tokens, each once, numbered in this order."""
    ids = {token: number for number, token in enumerate(dict.fromkeys(tokens))}
    path.write_text(json.dumps(ids, ensure_ascii=False), encoding="utf-8")
    return path


def marian(folder: Path, *, separate: bool = False) -> Path:
    """A Marian whose target has other pieces than its source, and with `separate` other ids."""
    from transformers import MarianConfig, MarianMTModel, MarianTokenizer

    parts = folder / "parts"
    parts.mkdir(parents=True)
    source = pieces_of(ENGLISH, parts / "source", 45)[3:]
    target = pieces_of(GERMAN, parts / "target", 60)[3:]
    ends = ["</s>", "<unk>", "<pad>"]
    joint = numbered([*ends, *source, *target], parts / "vocab.json")
    if separate:
        joint = numbered([*ends, *source], parts / "vocab.json")
        numbered([*ends, *reversed(target)], parts / "target_vocab.json")
    tokenizer = MarianTokenizer(
        str(parts / "source.model"),
        str(parts / "target.model"),
        str(joint),
        str(parts / "target_vocab.json") if separate else None,
        separate_vocabs=separate,
        source_lang="en",
        target_lang="de",
    )
    config = MarianConfig(
        vocab_size=len(tokenizer),
        decoder_vocab_size=len(target) + 3 if separate else None,
        share_encoder_decoder_embeddings=not separate,
        tie_word_embeddings=not separate,
        eos_token_id=0,
        pad_token_id=2,
        decoder_start_token_id=2,
        forced_eos_token_id=0,
        **SMALL,
        **LENGTH,
    )
    return save(folder, built(MarianMTModel, config), tokenizer)


def separate_marian(folder: Path) -> Path:
    """A Marian of two vocabularies."""
    return marian(folder, separate=True)


def fsmt(folder: Path) -> Path:
    """An FSMT, whose two dictionaries give other ids to the same letters."""
    from transformers import FSMTConfig, FSMTForConditionalGeneration, FSMTTokenizer

    parts = folder / "parts"
    parts.mkdir(parents=True)
    ends = ["<s>", "<pad>", "</s>", "<unk>"]
    letters = sorted({letter for line in ENGLISH + GERMAN for letter in line} - {" "})
    spelled = [*letters, *(f"{letter}</w>" for letter in letters)]
    numbered([*ends, *spelled, "th", "the</w>", "cat</w>"], parts / "src.json")
    numbered([*ends, "die</w>", "di", *reversed(spelled)], parts / "tgt.json")
    merges = ["t h 9", "th e</w> 8", "d i 7", "di e</w> 6", "c a 5", "ca t</w> 4"]
    (parts / "merges.txt").write_text("\n".join(merges) + "\n", encoding="utf-8")
    tokenizer = FSMTTokenizer(
        langs=["en", "de"],
        src_vocab_file=str(parts / "src.json"),
        tgt_vocab_file=str(parts / "tgt.json"),
        merges_file=str(parts / "merges.txt"),
    )
    config = FSMTConfig(
        langs=["en", "de"],
        src_vocab_size=len(json.loads((parts / "src.json").read_text(encoding="utf-8"))),
        tgt_vocab_size=len(json.loads((parts / "tgt.json").read_text(encoding="utf-8"))),
        tie_word_embeddings=False,
        **SMALL,
        **LENGTH,
    )
    return save(folder, built(FSMTForConditionalGeneration, config), tokenizer)


def m2m100(folder: Path) -> Path:
    """An M2M100 that starts its targets with the end token; its tokenizer knows no target."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, M2M100Tokenizer

    parts = folder / "parts"
    parts.mkdir(parents=True)
    pieces = pieces_of(ENGLISH + GERMAN, parts / "both", 70)[3:]
    vocabulary = numbered(["<s>", "<pad>", "</s>", "<unk>", *pieces], parts / "vocab.json")
    tokenizer = M2M100Tokenizer(str(vocabulary), str(parts / "both.model"))
    config = M2M100Config(
        vocab_size=tokenizer.encoder_size + len(tokenizer.lang_code_to_id),
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        **SMALL,
        **LENGTH,
    )
    return save(folder, built(M2M100ForConditionalGeneration, config), tokenizer)


def scored() -> list[tuple[str, float]]:
    """A unigram vocabulary of the words and letters of the sentences, in fairseq's order."""
    words = [f"\u2581{word}" for line in ENGLISH + GERMAN for word in line.split()]
    letters = sorted({letter for word in words for letter in word})
    ends = dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>"], 0.0)
    return list((ends | dict.fromkeys(letters, -9.0) | dict.fromkeys(words, -4.0)).items())


def nllb(folder: Path) -> Path:
    """An NLLB: an M2M100 whose byte-pair tokenizer writes codes such as eng_Latn."""
    from transformers import M2M100Config, M2M100ForConditionalGeneration, NllbTokenizer

    tokens = [token for token, _ in scored() if len(token) == 1 or token.startswith("<")]
    pairs = [("\u2581", "d"), ("\u2581d", "i"), ("\u2581di", "e"), ("\u2581", "t")]
    tokens += [one + two for one, two in pairs]
    tokenizer = NllbTokenizer(
        vocab={token: number for number, token in enumerate(tokens)}, merges=pairs
    )
    config = M2M100Config(
        vocab_size=len(tokenizer),
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2,
        **SMALL,
        **LENGTH,
    )
    return save(folder, built(M2M100ForConditionalGeneration, config), tokenizer)


def mbart(folder: Path, *, fifty: bool = False) -> Path:
    """An mBART, whose codes stand behind the end token; with `fifty` in front, as mBART-50's."""
    from transformers import (
        MBart50Tokenizer,
        MBartConfig,
        MBartForConditionalGeneration,
        MBartTokenizer,
    )

    kind = MBart50Tokenizer if fifty else MBartTokenizer
    own = [(code, 0.0) for code in kind().lang_code_to_id]
    tokenizer = kind(vocab=[*scored(), *own, ("<mask>", 0.0)])
    config = MBartConfig(
        vocab_size=len(tokenizer),
        bos_token_id=0,
        pad_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=2 if fifty else None,
        **SMALL,
        **LENGTH,
    )
    return save(folder, built(MBartForConditionalGeneration, config), tokenizer)


def mbart50(folder: Path) -> Path:
    """An mBART-50."""
    return mbart(folder, fifty=True)
