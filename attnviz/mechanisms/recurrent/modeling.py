"""The recurrent encoder-decoder as a model of transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, Seq2SeqLMOutput

from attnviz.mechanisms.recurrent.configuration import RecurrentConfig
from attnviz.mechanisms.recurrent.decoder import CrossAttention, TargetDecoder
from attnviz.mechanisms.recurrent.encoder import SourceEncoder

if TYPE_CHECKING:
    from attnviz.mechanisms.recurrent.state import DecoderState

IGNORED = -100  # the label of a token without loss
OWN_START = (nn.Linear, nn.Conv1d, nn.RNNBase, nn.RNNCellBase, CrossAttention)


class RecurrentForConditionalGeneration(PreTrainedModel, GenerationMixin):
    """Encoder, decoder, and one table of embeddings for source, target and output."""

    config_class = RecurrentConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    config: RecurrentConfig

    def __init__(self, config: RecurrentConfig) -> None:
        super().__init__(config)
        self.encoder = SourceEncoder(config)
        self.decoder = TargetDecoder(config)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Embedding):  # also multiplies the outputs
            nn.init.normal_(module.weight, std=self.config.width**-0.5)
        elif isinstance(module, OWN_START):
            module.reset_parameters()
        elif module is self:
            nn.init.zeros_(self.bias)

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # `forward` makes the state that takes the place of a cache

    def get_input_embeddings(self) -> nn.Module:
        """The table of embeddings."""
        return self.encoder.embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Let the model read and write with this table from now on."""
        assert isinstance(value, nn.Embedding)
        self.encoder.embedding = value

    def get_encoder(self, *_: Any) -> nn.Module:
        """The part that reads the source."""
        return self.encoder

    def prepare_decoder_input_ids_from_labels(self, labels: Tensor) -> Tensor:
        """The labels one place to the right, behind the start token."""
        start = labels.new_full((len(labels), 1), self.config.decoder_start_token_id)
        moved = torch.cat([start, labels[:, :-1]], dim=1)
        return moved.masked_fill(moved == IGNORED, self.config.pad_token_id)

    def prepare_inputs_for_generation(  # type: ignore[override]  # its signature changes often
        self,
        input_ids: Tensor,
        past_key_values: DecoderState | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """What `forward` takes: after the first step only the last token."""
        wanted = ("attention_mask", "encoder_outputs", "use_cache", "output_attentions")
        return {
            "decoder_input_ids": input_ids if past_key_values is None else input_ids[:, -1:],
            "past_key_values": past_key_values,
            **{name: kwargs[name] for name in wanted if name in kwargs},
        }

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        decoder_input_ids: Tensor | None = None,
        decoder_attention_mask: Tensor | None = None,
        encoder_outputs: BaseModelOutput | None = None,
        past_key_values: DecoderState | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
        **_: Any,
    ) -> Seq2SeqLMOutput | tuple[Any, ...]:
        """Logits (examples, target, vocabulary), and with `labels` the loss.

        Ids and masks are (examples, source) and (examples, target). `output_attentions` gives
        `cross_attentions`, one layer of (examples, 1, target, source). `past_key_values` is the
        decoder's state.
        """
        if encoder_outputs is None:
            encoder_outputs = self.encoder(input_ids, attention_mask)
        states = encoder_outputs[0]
        real = states.new_ones(states.shape[:2]) if attention_mask is None else attention_mask
        if labels is not None and decoder_input_ids is None:
            decoder_input_ids = self.prepare_decoder_input_ids_from_labels(labels)
        embedded = self.encoder.dropout(self.encoder.embedding(decoder_input_ids))
        read = None if decoder_attention_mask is None else decoder_attention_mask.bool()
        outputs, weights, state = self.decoder(embedded, states, real.bool(), past_key_values, read)
        logits = F.linear(self.encoder.dropout(outputs), self.encoder.embedding.weight, self.bias)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)
        cached = self.config.use_cache if use_cache is None else use_cache
        shown = self.config.output_attentions if output_attentions is None else output_attentions
        result = Seq2SeqLMOutput(
            loss=loss,
            logits=logits,
            past_key_values=state if cached and labels is None else None,
            cross_attentions=(weights,) if shown else None,
            encoder_last_hidden_state=states,
        )
        return result.to_tuple() if return_dict is False else result
