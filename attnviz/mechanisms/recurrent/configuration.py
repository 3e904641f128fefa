"""What a recurrent encoder-decoder is made of."""

from __future__ import annotations

from typing import Any, Literal, get_args

from transformers import PreTrainedConfig

from attnviz.errors import ModelError

Score = Literal["additive", "dot", "general", "scaled-dot"]
Cell = Literal["gru", "lstm"]
Encoder = Literal["recurrent", "convolutional"]


class RecurrentConfig(PreTrainedConfig):  # type: ignore[no-untyped-call]
    """The sizes and choices of a RecurrentForConditionalGeneration.

    `vocab_size` counts the tokens of both languages together; `width` is that of embeddings and
    states, and even; `score` says how the decoder attends (see `mechanisms.families`). The encoder
    has `encoder_layers` layers: bidirectional recurrences, or convolutions over `kernel_size`
    tokens (odd). Raises ModelError for a value that is not among these.
    """

    model_type = "attnviz_recurrent"
    keys_to_ignore_at_inference = ["past_key_values"]

    def __init__(
        self,
        vocab_size: int = 32,
        width: int = 96,
        score: Score = "additive",
        cell: Cell = "gru",
        encoder: Encoder = "recurrent",
        encoder_layers: int = 1,
        kernel_size: int = 3,
        dropout: float = 0.0,
        use_cache: bool = True,
        **kwargs: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.width = width
        self.score = one_of("score", score, get_args(Score))
        self.cell = one_of("cell", cell, get_args(Cell))
        self.encoder = one_of("encoder", encoder, get_args(Encoder))
        self.encoder_layers = encoder_layers
        self.kernel_size = kernel_size
        self.dropout = dropout
        self.use_cache = use_cache
        if width % 2 or not kernel_size % 2:
            raise ModelError(
                f"width {width} and kernel_size {kernel_size} do not fit",
                "the width is even, the kernel odd",
            )
        self.decoder_layers = 1
        self.decoder_attention_heads = 1
        defaults = {"pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0}
        fixed = {"is_encoder_decoder": True, "tie_word_embeddings": False}
        super().__init__(**(defaults | kwargs | fixed))


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> str:
    """The value. Raises ModelError when it is not allowed."""
    if value not in allowed:
        raise ModelError(f"{name} {value!r} does not exist", f"there are {', '.join(allowed)}")
    return value
