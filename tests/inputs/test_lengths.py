"""How long a text may be: every architecture, run at its limit and beyond."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from attnviz.errors import InputError
from attnviz.inputs.encode import encode
from attnviz.inputs.limits import Limits, limits_of
from attnviz.models.load import wrap
from tests.zoo.names import ALL_TEXT
from tests.zoo.oracle import inputs
from tests.zoo.shrink import build, quiet
from tests.zoo.sizes import POSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedModel

    from attnviz.models.loaded import LoadedModel

    Get = Callable[[str], LoadedModel]

FAR = 2 * POSITIONS + 2
FEW = ["albert", "bart", "bigbird_pegasus", "codegen", "ctrl", "esm", "esm+rotary", "falcon",
       "fsmt", "gpt2", "gptj", "led", "llama", "m2m_100", "marian", "mpnet", "mpt",
       "nystromformer", "prophetnet", "roberta", "roformer", "t5", "tapas", "tipsv2_text_model",
       "xglm", "xlm"]  # fmt: skip
# They fill a text up to whole chunks, and are not shown.
CHUNKED = {"reformer", "reformer+local"}


def runs(model: PreTrainedModel, tokens: int) -> bool:
    try:
        with quiet(), torch.no_grad():
            model(**inputs(model, tokens=tokens, batch=1))
    except (IndexError, RuntimeError, ValueError):
        return False
    return True


@pytest.mark.parametrize(
    "name",
    [name if name in FEW else pytest.param(name, marks=pytest.mark.slow)
     for name in ALL_TEXT if name not in CHUNKED],
)  # fmt: skip
def test_what_is_refused_cannot_run_and_the_rest_can(name: str) -> None:
    model = build(name)
    hard = limits_of(wrap(model)).hard
    assert runs(model, FAR if hard is None else hard)
    assert hard is None or not runs(model, hard + 2)


def test_a_longer_text_than_the_model_was_made_for_is_noted(loaded: Get) -> None:
    text = "the" + " cat" * 300
    inputs = encode(loaded("llama"), text)
    limit = loaded("llama").model.config.max_position_embeddings
    length = len(inputs.source)
    assert inputs.notes == (f"the text has {length} tokens: llama was made for {limit}",)
    assert encode(loaded("llama"), "the cat").notes == ()
    cut = encode(loaded("llama"), text, truncate=True)
    assert len(cut.source) == limit
    assert cut.notes == (f"the text was cut to {limit} of {length} tokens",)


def test_the_sides_have_limits_of_their_own() -> None:
    from transformers import BartConfig, BartForConditionalGeneration

    model = BartForConditionalGeneration(BartConfig(
        vocab_size=50, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
        max_position_embeddings=30,
    ))  # fmt: skip
    table = model.model.decoder.embed_positions
    model.model.decoder.embed_positions = type(table)(20, 16)
    assert limits_of(wrap(model), "encoder") == Limits(30, 30)
    assert limits_of(wrap(model), "decoder") == Limits(20, 30)


def test_what_cannot_run_is_refused_whatever_the_config_says(loaded: Get) -> None:
    """n_positions is the length that T5 was trained on, and GPT-2's table."""
    text = "the" + " cat" * 76
    with pytest.raises(InputError, match="gpt2 takes 64"):
        encode(loaded("gpt2"), text)
    t5 = loaded("t5")
    assert limits_of(t5).hard is None
    assert len(encode(t5, text, target=text).source) > 64
