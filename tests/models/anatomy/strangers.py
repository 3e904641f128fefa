"""Models of classes that nobody knows: their configs and modules have names of their own."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput

from tests.zoo.shrink import quiet, randomise


class ChunkConfig(PreTrainedConfig):
    """`fused` mixers call torch's attention, others compute it with heads folded into the batch."""

    model_type = "chunky"

    def __init__(self, n_chunks: int = 4, n_blocks: int = 2, fused: bool = False, **rest: Any):
        super().__init__(**rest)
        self.n_chunks, self.n_blocks, self.fused = n_chunks, n_blocks, fused
        self.width, self.longest = 32, 20


class Mixer(nn.Module):
    """Self-attention that writes its output through `mix`."""

    def __init__(self, config: ChunkConfig) -> None:
        super().__init__()
        self.chunks, self.fused = config.n_chunks, config.fused
        self.ask, self.answer, self.hold, self.mix = (
            nn.Linear(config.width, config.width) for _ in range(4)
        )

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        examples, tokens, width = states.shape
        query, key, value = (
            self.split(part(states)) for part in (self.ask, self.answer, self.hold)
        )
        scores = query @ key.mT * query.shape[-1] ** -0.5
        if self.fused:
            mixed = F.scaled_dot_product_attention(query, key, value)
            weights = scores.exp() / scores.exp().sum(dim=-1, keepdim=True)
        else:
            weights = scores.flatten(0, 1).softmax(dim=-1).view_as(scores)
            mixed = weights @ value
        return self.mix(mixed.transpose(1, 2).reshape(examples, tokens, width)), weights

    def split(self, states: Tensor) -> Tensor:
        """(examples, heads, tokens, d)."""
        return states.unflatten(-1, (self.chunks, -1)).transpose(1, 2)


class Chunky(PreTrainedModel):
    """Blocks of mixers; the outputs hold their weights."""

    config_class = ChunkConfig
    _supports_sdpa = True

    def __init__(self, config: ChunkConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(40, config.width)
        self.blocks = nn.ModuleList(Mixer(config) for _ in range(config.n_blocks))
        self.post_init()

    def forward(self, input_ids: Tensor, **_: Any) -> BaseModelOutput:
        states, maps = self.words(input_ids), []
        for block in self.blocks:
            change, weights = block(states)
            states = states + change
            maps.append(weights)
        return BaseModelOutput(last_hidden_state=states, attentions=tuple(maps))


def chunky(**settings: Any) -> Chunky:
    """A model with random weights, the same every time."""
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Chunky(ChunkConfig(**settings)).eval()
        randomise(model)
    return model


def ids(examples: int = 1) -> Tensor:
    """Six tokens an example."""
    generator = torch.Generator().manual_seed(1)
    return torch.randint(1, 40, (examples, 6), generator=generator)
