"""What a picture says of its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.attention.capture import ModelFacts
from attnviz.models.placement import is_quantized

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

    from attnviz.models.find.source import Source

# Decoder names first: of an encoder-decoder the stack of cross attention is the main one.
LAYERS = ("decoder_layers", "num_decoder_layers", "num_hidden_layers", "num_layers", "n_layer")
KV_HEADS = ("num_key_value_heads", "num_kv_heads", "multi_query_group_num")
HEADS = ("decoder_attention_heads", "num_attention_heads", "num_heads", "n_head", "n_heads")

# What configs call the tokens that stand for a part of a picture, a video or a sound.
MEDIA = [f"{what}_token_{how}" for what in ("image", "video", "audio") for how in ("id", "index")]


def describe(
    model: PreTrainedModel, source: Source | None = None, commit: str | None = None
) -> ModelFacts:
    """The facts of a loaded model. `commit` is that of the Hub, where it came from there."""
    config = model.config
    main = main_config(config)
    name = source.display if source else str(getattr(config, "name_or_path", "")).rsplit("/")[-1]
    return ModelFacts(
        name=name or type(model).__name__,
        architecture=type(model).__name__,
        revision=commit[:7] if commit else None,
        layers=number(main, LAYERS),
        heads=number(main, HEADS),
        parameters=model.num_parameters(),
        dtype=number_format(model),
        device=devices(model),
        implementation=str(getattr(config, "_attn_implementation", None) or ""),
        kv_heads=number(main, KV_HEADS),
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


def main_config(config: PreTrainedConfig) -> Any:
    """The config of the stack shown first: the decoder's, or the text part's of nested ones."""
    if getattr(config, "is_encoder_decoder", False):
        own = getattr(config, "decoder", None)
        return own if hasattr(own, "model_type") else config
    return text_config(config)


def text_config(config: PreTrainedConfig) -> Any:
    """The config of the part that reads text; the whole one when several parts do."""
    try:
        return config.get_text_config()
    except ValueError:
        return config


def number(config: Any, names: tuple[str, ...]) -> int:
    """The first of these attributes that is a number; the largest of a list; else 0."""
    for name in names:
        try:
            value = getattr(config, name, None)
        except RuntimeError:  # transformers: the value differs from layer to layer
            continue
        if isinstance(value, (list, tuple)) and value and all(isinstance(n, int) for n in value):
            return int(max(value))
        if isinstance(value, int) and value > 0:
            return value
    return 0


def media_tokens(config: object) -> list[int]:
    """The ids of the tokens that stand for pictures and sounds in a text."""
    found = (getattr(config, name, None) for name in MEDIA)
    return list(dict.fromkeys(one for one in found if isinstance(one, int)))
