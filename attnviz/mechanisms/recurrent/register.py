"""Makes the auto classes of transformers know the recurrent model."""

from __future__ import annotations

import functools

from transformers import AutoConfig, AutoModelForSeq2SeqLM

from attnviz.mechanisms.recurrent.configuration import RecurrentConfig
from attnviz.mechanisms.recurrent.modeling import RecurrentForConditionalGeneration


@functools.cache
def register() -> None:
    """Let AutoConfig and AutoModelForSeq2SeqLM load folders of this kind from now on."""
    AutoConfig.register(RecurrentConfig.model_type, RecurrentConfig, exist_ok=True)
    AutoModelForSeq2SeqLM.register(
        RecurrentConfig, RecurrentForConditionalGeneration, exist_ok=True
    )
