"""The decoder: one step per token, each of which looks at the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from attnviz.mechanisms.families import FAMILIES, attend_by_name
from attnviz.mechanisms.recurrent.state import DecoderState

if TYPE_CHECKING:
    from attnviz.mechanisms.recurrent.configuration import RecurrentConfig


class CrossAttention(nn.Module):
    """One decoder state asks all encoder states, by the score that the config names."""

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        self.score = config.score
        width = config.width
        shapes = {"W": (width, width), "U": (width, width), "v": (width,)}
        self.parameters_of_score = nn.ParameterDict(
            {
                name: nn.Parameter(torch.empty(shapes[name]))
                for name in FAMILIES[config.score].parameters
            }
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew, evenly within ± 1/√width.

        The general score starts out as dot, W = I: random products of states are too small to
        tell one source word from another.
        """
        for parameter in self.parameters_of_score.values():
            bound = parameter.shape[-1] ** -0.5
            nn.init.uniform_(parameter, -bound, bound)
        if self.score == "general":
            nn.init.eye_(self.parameters_of_score["W"])

    def forward(self, state: Tensor, states: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """The context (examples, width) and the weights (examples, 1, 1, source).

        state: (examples, width), states: (examples, source, width), real: bool (examples, source).
        """
        parameters = dict(self.parameters_of_score.items())
        query, mask = state.unsqueeze(1), real[:, None, None]
        found = attend_by_name(self.score, query, states, states, parameters, mask=mask)
        return found.output[:, 0, 0], found.weights


class TargetDecoder(nn.Module):
    """A GRU or LSTM cell with attention.

    `asks_first` is Bahdanau's order, the previous state asks; else Luong's, the current one does.
    """

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__()
        width = config.width
        self.asks_first = config.score == "additive"
        self.cross_attention = CrossAttention(config)
        self.bridge = nn.Linear(width, width)
        self.cell: nn.GRUCell | nn.LSTMCell
        self.cell = (nn.LSTMCell if config.cell == "lstm" else nn.GRUCell)(2 * width, width)
        self.combine = nn.Linear(2 * width, width)

    def start(self, states: Tensor, real: Tensor) -> DecoderState:
        """s_0 = tanh(W mean(h)): what the decoder knows before its first token."""
        count = real.sum(1, keepdim=True).clamp_min(1)
        hidden = torch.tanh(self.bridge(states.sum(1) / count))
        return DecoderState(hidden, torch.zeros_like(hidden), torch.zeros_like(hidden))

    def forward(
        self,
        embedded: Tensor,
        states: Tensor,
        real: Tensor,
        past: DecoderState | None = None,
        read: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, DecoderState]:
        """The outputs (examples, target, width), weights (examples, 1, target, source), and state.

        embedded: (examples, target, width); states: (examples, source, width); real: bool
        (examples, source); past: the state to go on from; read: bool (examples, target), False
        where a target token is padding.
        """
        state = past or self.start(states, real)
        outputs, weights = [], []
        for place, token in enumerate(embedded.unbind(1)):
            step, row = self.step(token, state, states, real)
            state = step if read is None else step.unless(~read[:, place, None], state)
            outputs.append(step.fed)
            weights.append(row)
        return torch.stack(outputs, 1), torch.cat(weights, 2), state

    def step(
        self, token: Tensor, state: DecoderState, states: Tensor, real: Tensor
    ) -> tuple[DecoderState, Tensor]:
        """The state after one embedded token (examples, width), and where it looked."""
        if self.asks_first:
            context, weights = self.cross_attention(state.hidden, states, real)
            hidden, memory = self.advance(torch.cat([token, context], -1), state)
        else:
            hidden, memory = self.advance(torch.cat([token, state.fed], -1), state)
            context, weights = self.cross_attention(hidden, states, real)
        fed = torch.tanh(self.combine(torch.cat([context, hidden], -1)))
        return DecoderState(hidden, memory, fed, state.length + 1), weights

    def advance(self, given: Tensor, state: DecoderState) -> tuple[Tensor, Tensor]:
        """The next hidden state and memory of the cell."""
        if isinstance(self.cell, nn.LSTMCell):
            hidden, memory = self.cell(given, (state.hidden, state.memory))
            return hidden, memory
        return self.cell(given, state.hidden), state.memory
