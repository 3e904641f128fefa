"""Encoders: from source tokens to one state per token. Padding on either side changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from transformers.modeling_outputs import BaseModelOutput

if TYPE_CHECKING:
    from attnviz.mechanisms.recurrent.configuration import RecurrentConfig

RECURRENCES: dict[str, type[nn.GRU | nn.LSTM]] = {"gru": nn.GRU, "lstm": nn.LSTM}


class SourceEncoder(nn.Module):
    """Embeddings and the layers that read them."""

    main_input_name = "input_ids"

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.layers = LAYERS[config.encoder](config)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **_: Any
    ) -> BaseModelOutput:
        """The states (examples, tokens, width) of ids (examples, tokens).

        `attention_mask` is 1 where a token is real; the states of padding are 0.
        """
        real = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        embedded = self.dropout(self.embedding(input_ids))
        return BaseModelOutput(last_hidden_state=self.layers(embedded, real.bool()))


class RecurrentLayers(nn.Module):
    """A GRU or LSTM in both directions, half of the width each (Bahdanau et al. 2014)."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.recurrence = RECURRENCES[config.cell](
            config.width,
            config.width // 2,
            num_layers=config.encoder_layers,
            bidirectional=True,
            batch_first=True,
        )

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """(examples, tokens, width) from the same shape; real: bool (examples, tokens).

        Real tokens are moved to the front, read, and moved back.
        """
        order = torch.argsort((~real).to(torch.uint8), dim=1, stable=True)
        front = embedded.take_along_dim(order[..., None], dim=1)
        lengths = real.sum(1).clamp_min(1).cpu()
        packed = pack_padded_sequence(front, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(
            self.recurrence(packed)[0], batch_first=True, total_length=real.shape[1]
        )
        back = states.take_along_dim(order.argsort(dim=1)[..., None], dim=1)
        return back * real[..., None]


class ConvolutionalLayers(nn.Module):
    """Convolutions with gates and residuals over the embeddings (Gehring et al. 2017)."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        width, size = config.width, config.kernel_size
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, 2 * width, size, padding=size // 2)
            for _ in range(config.encoder_layers)
        )

    def forward(self, embedded: Tensor, real: Tensor) -> Tensor:
        """(examples, tokens, width) from the same shape; real: bool (examples, tokens)."""
        states = embedded * real[..., None]
        for convolution in self.convolutions:
            gated = F.glu(convolution(states.transpose(1, 2)).transpose(1, 2), dim=-1)
            states = (states + gated) * real[..., None]
        return states


LAYERS: dict[str, type[RecurrentLayers | ConvolutionalLayers]] = {
    "recurrent": RecurrentLayers,
    "convolutional": ConvolutionalLayers,
}
