"""What a picture says of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.attention.capture import ModelFacts
from attnviz.models.anatomy.counts import main_counts
from attnviz.models.anatomy.names import KNOWN
from attnviz.models.placement import is_quantized

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from attnviz.models.anatomy.names import Anatomy
    from attnviz.models.find.source import Source


def describe(
    model: PreTrainedModel,
    source: Source | None = None,
    commit: str | None = None,
    anatomy: Anatomy = KNOWN,
) -> ModelFacts:
    """The facts of a loaded model. `commit` is that of the Hub, where it came from there."""
    config = model.config
    name = source.display if source else str(getattr(config, "name_or_path", "")).rsplit("/")[-1]
    return ModelFacts(
        name=name or type(model).__name__,
        architecture=type(model).__name__,
        revision=commit[:7] if commit else None,
        parameters=model.num_parameters(),
        dtype=number_format(model),
        device=devices(model),
        implementation=str(getattr(config, "_attn_implementation", None) or ""),
        **main_counts(config, anatomy)._asdict(),
    )


def number_format(model: PreTrainedModel) -> str:
    """`bfloat16`; of quantized weights `8bit weights, else bfloat16`."""
    dtype = str(model.dtype).removeprefix("torch.")
    if not is_quantized(model):
        return dtype
    how = model.config.quantization_config
    names = [f"{bits}bit" for bits in (4, 8) if getattr(how, f"load_in_{bits}bit", False)]
    return f"{(names or [how.quant_method.value])[0]} weights, else {dtype}"


def devices(model: PreTrainedModel) -> str:
    """Where the model is: one device, or all that it is spread over."""
    spread = getattr(model, "hf_device_map", None) or {}
    names = [f"cuda:{one}" if isinstance(one, int) else str(one) for one in spread.values()]
    return ", ".join(dict.fromkeys(names)) or str(model.device)
