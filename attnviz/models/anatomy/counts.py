"""What the config of a model tells: its heads and layers, and the sizes that follow from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from attnviz.models.anatomy.names import KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import nn
    from transformers import PreTrainedConfig

    from attnviz.models.anatomy.names import Anatomy, Numbers
    from attnviz.models.anatomy.paths import Side


class Counts(NamedTuple):
    """How many layers, heads and key-value heads a stack has; 0 stands for unknown."""

    layers: int
    heads: int
    kv_heads: int


class Expected(NamedTuple):
    """The size of one attention layer before it has run."""

    role: str
    layer: int
    heads: int
    queries: int
    keys: int


def main_counts(config: PreTrainedConfig, anatomy: Anatomy = KNOWN) -> Counts:
    """Those of the stack that is shown first: of an encoder-decoder that of cross attention."""
    main = main_config(config)
    return Counts(
        number(main, (*anatomy.decoder_layers, *anatomy.layers)),
        number(main, (*anatomy.decoder_heads, *anatomy.heads)),
        number(main, anatomy.key_value_heads),
    )


def expected_sites(
    config: Any, queries: int, targets: int | None, anatomy: Anatomy = KNOWN
) -> list[Expected]:
    """Every attention layer that a model's config tells of."""
    if not getattr(config, "is_encoder_decoder", False):
        text = text_config(config)
        heads = number(text, anatomy.heads)
        layers = attending(text, anatomy)
        return [Expected("self", layer, heads, queries, queries) for layer in layers]
    encoder, decoder = part(config, "encoder"), part(config, "decoder")
    heads = number(encoder, (*anatomy.encoder_heads, *anatomy.heads))
    count = number(encoder, (*anatomy.encoder_layers, *anatomy.layers))
    sites = [Expected("encoder", layer, heads, queries, queries) for layer in range(count)]
    if targets:
        heads = number(decoder, (*anatomy.decoder_heads, *anatomy.heads))
        for layer in range(number(decoder, (*anatomy.decoder_layers, *anatomy.layers))):
            sites.append(Expected("decoder", layer, heads, targets, targets))
            sites.append(Expected("cross", layer, heads, targets, queries))
    return sites


def attending(config: Any, anatomy: Anatomy = KNOWN) -> list[int]:
    """The layers that have softmax attention: those of another kind are left out."""
    layers = range(number(config, anatomy.layers))
    kinds = next(filter(None, (getattr(config, name, None) for name in anatomy.layer_kinds)), None)
    if not isinstance(kinds, (list, tuple)) or len(kinds) != len(layers):
        return [*layers]
    return [layer for layer in layers if kinds[layer] not in anatomy.without_softmax]


def head_counts(module: nn.Module, anatomy: Anatomy = KNOWN) -> Iterator[int]:
    """The numbers of heads that a module and its config tell of."""
    for holder in (module, getattr(module, "config", None)):
        for name in anatomy.heads:
            heads = name if isinstance(name, int) else getattr(holder, name, None)
            if isinstance(heads, int):
                yield heads


def media_tokens(config: object, anatomy: Anatomy = KNOWN) -> list[int]:
    """The ids of the tokens that stand for pictures and sounds in a text."""
    ids = (
        name if isinstance(name, int) else getattr(config, name, None)
        for name in anatomy.media_tokens
    )
    return list(dict.fromkeys(one for one in ids if isinstance(one, int)))


def number(config: Any, names: Numbers) -> int:
    """The first of these attributes that is a number; the largest of a list; else 0."""
    for name in names:
        if isinstance(name, int):
            return name
        try:
            value = getattr(config, name, None)
        except RuntimeError:  # transformers: the value differs from layer to layer
            continue
        if isinstance(value, (list, tuple)) and value and all(isinstance(n, int) for n in value):
            return int(max(value))
        if isinstance(value, int) and value > 0:
            return value
    return 0


def part(config: Any, side: Side) -> Any:
    """The config of the encoder or decoder, where they have one each, else the text part's."""
    for name in (side, f"{side}_config"):
        own: Any = getattr(config, name, None)
        if hasattr(own, "model_type"):
            return text_config(own)
    return text_config(config)


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
