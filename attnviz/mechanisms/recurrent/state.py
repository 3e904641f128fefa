"""What a recurrent decoder remembers between two tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class DecoderState:
    """The decoder after `length` tokens; `generate` hands it from step to step.

    `hidden` is s_t, `memory` the cell of an LSTM (zeros in a GRU), `fed` the h̃_t of Luong: all
    (examples, width).
    """

    hidden: Tensor
    memory: Tensor
    fed: Tensor
    length: int = 0

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How many tokens were read, as a cache of transformers says it."""
        return self.length

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Take the examples of `beam_idx` from now on (beam search)."""
        self.hidden = self.hidden.index_select(0, beam_idx)
        self.memory = self.memory.index_select(0, beam_idx)
        self.fed = self.fed.index_select(0, beam_idx)

    def unless(self, skipped: Tensor, before: DecoderState) -> DecoderState:
        """This state, but the one before where a token is padding: bool (examples, 1)."""
        return replace(
            self,
            hidden=torch.where(skipped, before.hidden, self.hidden),
            memory=torch.where(skipped, before.memory, self.memory),
            fed=torch.where(skipped, before.fed, self.fed),
        )
