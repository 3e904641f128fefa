"""Tiny random models of every text architecture of transformers, built from configs."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from transformers import CONFIG_MAPPING, PreTrainedConfig, PreTrainedModel
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import model_type_to_module_name

from tests.zoo.overrides import OVERRIDES, VARIANTS
from tests.zoo.sizes import KEY_HEADS, SIZES, SPECIAL_TOKENS, VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterator

CLASS_TABLES = (
    modeling_auto.MODEL_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)


def build(name: str, *, attn_implementation: str | None = None, seed: int = 0) -> PreTrainedModel:
    """A tiny model of the architecture `name`: float32, on the CPU, in eval mode.

    The weights depend on `name` and `seed` only, not on `attn_implementation`, so two builds
    with different implementations are twins.
    """
    with quiet(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = shrunk_config(name)
        if attn_implementation is not None:
            config._attn_implementation = attn_implementation
        model = model_class(name)(config)
        torch.nn.Module.float(model.train(False))
        randomise(model)
    return model


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the noise of transformers and torch.jit, and nothing else."""
    root = logging.getLogger("transformers")
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            for message in (".*torch.jit.*", ".*TorchScript.*", ".*nested tensor.*"):
                warnings.filterwarnings("ignore", message=message)
            for module in (r"transformers\..*", r"torch\.jit\..*"):
                warnings.filterwarnings("ignore", module=module)
            yield
    finally:
        root.setLevel(level)


def model_class(name: str) -> type[PreTrainedModel]:
    """The base model class of a model type, or its first class with a head."""
    base = base_name(name)
    class_name = next(table[base] for table in CLASS_TABLES if base in table)
    if not isinstance(class_name, str):  # funnel: with and without the decoder
        class_name = class_name[0]
    place = importlib.import_module("transformers")
    if not hasattr(place, class_name):  # a class that is not exported at the top
        module = model_type_to_module_name(base)
        place = importlib.import_module(f"transformers.models.{module}.modeling_{module}")
    found: type[PreTrainedModel] = getattr(place, class_name)
    return found


def shrunk_config(name: str) -> PreTrainedConfig:
    """The default config of a model type, or a variant of it, with every size made small.

    Configs write into the dicts that they are given, so that each gets its own.
    """
    base = base_name(name)
    fields = _merged(shrunk_fields(CONFIG_MAPPING[base]), OVERRIDES.get(base, {}))
    return CONFIG_MAPPING[base](**copy.deepcopy(_merged(fields, VARIANTS.get(name, {}))))


def base_name(name: str) -> str:
    """The model type of "model_type" or "model_type+variant"."""
    return name.partition("+")[0]


def _merged(fields: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """`fields` with `overrides` put on top, inside nested configs too."""
    merged = dict(fields)
    for name, value in overrides.items():
        if name.endswith("_config") and isinstance(value, dict):
            value = _merged(merged.get(name) or {}, value)
        merged[name] = value
    return merged


def shrunk_fields(config_class: type, given: dict[str, Any] | None = None) -> dict[str, Any]:
    """Keyword arguments of `config_class` that make it small, nested configs included."""
    fields = _defaults(config_class) | (given or {})
    small = {name: _shrunk(name, value, fields) for name, value in fields.items()}
    changed = {
        name: value
        for name, value in small.items()
        if value is not fields[name] or name in (given or {})
    }
    for key, spec in getattr(config_class, "sub_configs_defaults", {}).items():
        sub_class = spec.config_class
        if not issubclass(sub_class, PreTrainedConfig):
            sub_class = CONFIG_MAPPING[spec.model_type]
        sub = shrunk_fields(sub_class, dict(spec.init_kwargs))
        if spec.model_type:
            sub["model_type"] = spec.model_type
        sub |= OVERRIDES.get(spec.model_type, {})
        changed[key] = sub | {k: v for k, v in (fields.get(key) or {}).items() if k not in sub}
    return changed | _layer_kinds(config_class, fields)


def _layer_kinds(config_class: type, fields: dict[str, Any]) -> dict[str, Any]:
    """One layer of every kind (sliding, full, linear, ...) that the default config mixes.

    Empty where the kinds follow from other fields, or where all layers are of one kind.
    """
    listed = next((name for name in ("layer_types", "layers_block_type") if name in fields), None)
    if listed is None:
        return {}
    kinds = list(dict.fromkeys(getattr(config_class(), listed, None) or ()))
    if len(kinds) < 2:
        return {}
    mapped = getattr(config_class, "attribute_map", {})
    return {listed: kinds, mapped.get("num_hidden_layers", "num_hidden_layers"): len(kinds)}


def _defaults(config_class: type) -> dict[str, Any]:
    """The declared default of every field of a config class, before any is derived."""
    defaults: dict[str, Any] = {}
    for field in dataclasses.fields(config_class):
        if field.default is not dataclasses.MISSING:
            defaults[field.name] = field.default
        elif field.default_factory is not dataclasses.MISSING:
            defaults[field.name] = field.default_factory()
    return defaults


def _shrunk(name: str, value: Any, fields: dict[str, Any]) -> Any:
    """The small value of one config field; the very same object where nothing changes."""
    if name == "vocab_size":
        return VOCABULARY
    if value is None and name == "head_dim":
        return SIZES[name]
    if value is None and name in KEY_HEADS:
        return 2
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float | int) and ("drop" in name or name.endswith("_pdrop")):
        return type(value)(0)
    if name.endswith(("token_id", "token_index")) and not isinstance(value, float):
        return _special_token(name)
    if not isinstance(value, int) or value == 0:
        return value
    if name in KEY_HEADS:
        return _key_heads(value, fields)
    return min(value, SIZES[name]) if name in SIZES else value


def _special_token(name: str) -> int:
    """A legal id for the special token that the field `name` holds."""
    return next((i for start, i in SPECIAL_TOKENS.items() if name.startswith(start)), 4)


def _key_heads(value: int, fields: dict[str, Any]) -> int:
    """Two key heads where the default groups them, four where not, one where shared by all."""
    if value == 1:
        return 1
    heads = next((fields[n] for n in ("num_attention_heads", "n_heads") if n in fields), None)
    return 4 if value == heads else 2


def randomise(model: PreTrainedModel) -> None:
    """Draw new weights so that no attention is uniform and every learned sink counts.

    Embeddings and attention sinks become N(0, 1), matrices N(0, 0.2). Vectors and constants keep
    their value (ones of a norm, state space constants) with a little noise; what is not trained
    (sinusoids) stays as it is.
    """
    modules = dict(model.named_modules())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not (weight.requires_grad and weight.is_floating_point()):
                continue
            owner, _, kind = name.rpartition(".")
            noise = torch.randn(weight.shape)
            if isinstance(modules[owner], torch.nn.Embedding) or "sink" in kind:
                weight.copy_(noise)
            elif weight.ndim < 2 or kind in ("A_log", "D") or bool((weight == 1).all()):
                weight.add_(0.1 * noise)
            else:
                weight.copy_(0.2 * noise)
