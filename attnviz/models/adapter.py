"""Adapters of peft: where they are, which base they are for, and which of them are active."""

from __future__ import annotations

import json
import os
import re
import sys
from copy import copy
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import ModelError
from attnviz.models.find.resolve import local_source, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torch import Tensor, nn
    from transformers import PreTrainedConfig, PreTrainedModel

    from attnviz.models.find.source import Source

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
BASE_WEIGHTS = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# What `--adapter` says for the base model alone.
ALONE = "none"

NAMES = {"LORA": "LoRA", "ADALORA": "AdaLoRA", "LOHA": "LoHa", "LOKR": "LoKr", "VERA": "VeRA"}
# The end of the class name of the model that an adapter of this task is for.
TASKS = {
    "CAUSAL_LM": "ForCausalLM",
    "SEQ_2_SEQ_LM": "ForConditionalGeneration",
    "SEQ_CLS": "ForSequenceClassification",
    "TOKEN_CLS": "ForTokenClassification",
    "QUESTION_ANS": "ForQuestionAnswering",
    "FEATURE_EXTRACTION": "Model",
}
CLASSIFIER = re.compile(r"\b(classifier(\.out_proj)?|score|classification_head\.out_proj)\.weight$")
PREFIX = "base_model.model."


@dataclass(frozen=True)
class Adapter:
    """An adapter: its source, the folder that its files are in, its config as peft reads it."""

    source: Source
    folder: Path
    config: Any

    @property
    def head(self) -> str:
        """The class that it was trained on, or the end of its name; empty when nothing says so."""
        mapped = (self.config.auto_mapping or {}).get("base_model_class")
        return str(mapped or TASKS.get(self.config.task_type or "", ""))

    def weights(self) -> dict[str, Tensor]:
        """Its tensors, by name."""
        from peft.utils.save_and_load import load_peft_weights

        found: dict[str, Tensor] = load_peft_weights(str(self.folder), device="cpu")
        return found


def find(source: Source, options: Mapping[str, Any], *, required: bool = False) -> Path | None:
    """The adapter_config.json of a folder or repository, fetched where that is allowed.

    None where it has none; with `required` a ModelError says so.
    """
    found = fetched(source, CONFIG, options, required=required)
    if found is None and required:
        raise ModelError(
            f"{source.name} holds no adapter: it has no {CONFIG}",
            "give the folder or Hub id of an adapter that peft saved",
        )
    return found


def fetched(
    source: Source, name: str, options: Mapping[str, Any], *, required: bool = False
) -> Path | None:
    """The path of one file of a folder or repository; None where it has none.

    `required`: what keeps it from being looked for is raised.
    """
    from transformers.utils.hub import cached_file

    found = cached_file(
        source.path_or_id,
        name,
        revision=options["revision"],
        local_files_only=options["local_files_only"],
        _raise_exceptions_for_missing_entries=False,
        _raise_exceptions_for_connection_errors=required,
    )
    return None if found is None else Path(found)


def has_base(source: Source, options: Mapping[str, Any]) -> bool:
    """Whether the folder or repository of an adapter holds a whole model beside it."""
    if fetched(source, "config.json", options) is None:
        return False
    return any(fetched(source, name, options) is not None for name in BASE_WEIGHTS)


def read_adapter(source: Source, config: Path, options: Mapping[str, Any]) -> Adapter:
    """The adapter whose config this is.

    Raises ModelError without peft, and for a kind that does more than change the model's layers.
    """
    if find_spec("peft") is None:
        raise ModelError(
            f"{source.name} holds an adapter, and the package peft is not installed",
            f"pip install 'attnviz[peft]', or see the base model: --adapter {ALONE}",
        )
    import peft

    if "peft_type" not in json.loads(config.read_text(encoding="utf-8")):
        raise ModelError(
            f"the {CONFIG} of {source.name} is not one of peft: it names no peft_type",
            f"see the base model: --adapter {ALONE}",
        )
    found = peft.PeftConfig.from_pretrained(str(config.parent))
    require_layers(found, source.name)
    if all(fetched(source, name, options) is None for name in WEIGHTS):
        raise ModelError(
            f"the adapter {source.name} holds no weights: {WEIGHTS[0]} is missing",
            "copy or download it again",
        )
    return Adapter(source, config.parent, found)


def base_of(source: Source, config: Path) -> tuple[Source, str | None]:
    """The model that an adapter's config names, and its revision.

    It is a folder, also one that is found from the adapter's, or a Hub id. Raises ModelError.
    """
    said = json.loads(config.read_text(encoding="utf-8"))
    named = said if isinstance(said, dict) else {}
    name, revision = named.get("base_model_name_or_path"), named.get("revision")
    hint = f"name it: -m BASE --adapter {source.name}"
    if not isinstance(name, str) or not name:
        raise ModelError(f"the adapter {source.name} does not say which base model it is for", hint)
    try:
        beside = os.path.exists(config.parent / name) and not os.path.exists(name)  # noqa: PTH110
        base = local_source(str(config.parent / name)) if beside else resolve(name)
    except ModelError as error:
        why = f"the base model of the adapter {source.name}: {error.message}"
        raise ModelError(why, hint) from error
    return base, revision if base.kind == "hub" and isinstance(revision, str) else None


def require_plain(base: Source, options: Mapping[str, Any]) -> None:
    """Raise ModelError for the base of an adapter that holds an adapter itself."""
    if not base.file and find(base, options) is not None:
        raise ModelError(
            f"the base model {base.name} holds an adapter itself",
            "merge that into its base, save it, and name it: -m MERGED --adapter ADAPTER",
        )


def require_layers(config: Any, name: str) -> None:
    """Raise ModelError for adapters that need peft's own forward around the model's."""
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    if config.is_prompt_learning or kind == "ADAPTION_PROMPT":
        raise ModelError(
            f"the adapter {name} ({kind}) puts virtual tokens before the text",
            "adapters that change layers, such as LoRA, can be shown",
        )
    if kind in ("XLORA", "POLY") or getattr(config, "alora_invocation_tokens", None):
        raise ModelError(
            f"the adapter {name} ({kind}) acts differently from token to token or task to task",
            "adapters that change layers alike for every token, such as LoRA, can be shown",
        )


def kind_of(config: Any) -> str:
    """`LoRA r=8`."""
    kind = str(getattr(config.peft_type, "value", config.peft_type))
    name = "DoRA" if getattr(config, "use_dora", False) else NAMES.get(kind, kind)
    rank = getattr(config, "r", None)
    return f"{name} r={rank}" if isinstance(rank, int) else name


def shape_config(config: PreTrainedConfig, adapter: Adapter, weights: Mapping[str, Tensor]) -> None:
    """Set the number of classes of a classifier that the adapter brings along."""
    if adapter.head.endswith(("ForSequenceClassification", "ForTokenClassification")):
        rows = [len(one) for name, one in weights.items() if CLASSIFIER.search(name)]
        if rows and rows[0] != config.num_labels:
            config.num_labels = rows[0]


def fit_vocabulary(model: PreTrainedModel, weights: Mapping[str, Tensor]) -> None:
    """Give the embeddings as many rows as those that the adapter brings along."""
    table = model.get_input_embeddings()
    name = next((name for name, module in model.named_modules() if module is table), "")
    for end in (".weight", ".base_layer.weight"):
        brought = weights.get(f"{PREFIX}{name}{end}")
        if brought is not None and len(brought) != table.num_embeddings:
            model.resize_token_embeddings(len(brought))


def apply(model: PreTrainedModel, adapter: Adapter, weights: Mapping[str, Tensor]) -> None:
    """Put the adapter into the model's layers, active.

    Raises ModelError when it does not belong to this model.
    """
    import peft

    fit_vocabulary(model, weights)
    name = adapter.source.name
    hint = f"its own base is {adapter.config.base_model_name_or_path or 'not named in it'}"
    try:
        found = peft.get_peft_model(model, copy(adapter.config))
        result = found.load_adapter(
            str(adapter.folder),
            "default",
            torch_device=str(model.device),
            key_mapping=getattr(model, "_checkpoint_conversion_mapping", None),
        )
    except (ValueError, RuntimeError, KeyError) as error:
        text = str(error)
        if "arget modules" not in text and "size mismatch" not in text:
            raise
        first = text.strip().splitlines()[0][:160]
        raise ModelError(f"the adapter {name} does not fit the model: {first}", hint) from error
    if astray := [*result.missing_keys, *result.unexpected_keys]:
        raise ModelError(
            f"the adapter {name} does not fit the model: {len(astray)} of its weights have no "
            f"place, such as {astray[0].removeprefix(PREFIX)}",
            hint,
        )


def unwrapped(model: nn.Module) -> nn.Module:
    """The model in a PeftModel, with its adapters in its layers; any other model as it is.

    Raises ModelError for adapters that need peft's own forward around the model's.
    """
    peft = sys.modules.get("peft")
    if peft is None or not isinstance(model, (peft.PeftModel, peft.PeftMixedModel)):
        return model
    for name in chosen(model):
        require_layers(model.peft_config[name], name)
    found: nn.Module = model.base_model.model
    return found


def chosen(model: Any) -> list[str]:
    """The names of the adapters that a model of peft is set to."""
    found = getattr(model, "active_adapters", None) or model.active_adapter
    return [found] if isinstance(found, str) else list(found)


def active_adapters(model: nn.Module) -> list[str]:
    """The adapters that act in the model's layers: their names, or the kind of one without."""
    configs: Mapping[str, Any] = getattr(model, "peft_config", {})
    acting = [name for name, on in acts(model).items() if on]
    return [kind_of(configs[one]).split()[0] if one == "default" else one for one in acting]


def adapter_notes(model: nn.Module, called: str | None = None) -> list[str]:
    """A note for every adapter in the model's layers, whether it acts or not.

    `called` is its name in titles, where it is not known by that which peft gave it.
    """
    acting = acts(model)
    configs: Mapping[str, Any] = getattr(model, "peft_config", {})
    notes = []
    for name in acting:
        base = str(configs[name].base_model_name_or_path or "").rstrip("/").rsplit("/")[-1]
        of = f" of base {base}" if base else ""
        did = "applied" if acting[name] else "is in the model, but not active"
        notes.append(f"adapter {called or name} {did}: {kind_of(configs[name])}{of}")
    return notes


def acts(model: nn.Module) -> dict[str, bool]:
    """Whether each adapter in the model's layers acts, merged into its weights or beside them."""
    found: dict[str, bool] = {}
    for _, module in adapted_layers(model):
        merged = list(getattr(module, "merged_adapters", ()))
        on = [] if module.disable_adapters else merged or module.active_adapters
        for name in getattr(model, "peft_config", {}):
            found[name] = found.get(name, False) or name in on
    return found


def adapted_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    """The path and module of every layer that an adapter changes or replaces."""
    if (peft := sys.modules.get("peft")) is not None:
        kinds = (peft.tuners.tuners_utils.BaseTunerLayer, peft.utils.ModulesToSaveWrapper)
        for name, module in model.named_modules():
            if isinstance(module, kinds):
                yield name, module


def added_weight(layer: Any) -> Tensor | float | None:
    """What the active adapters of a layer add to the weight of its base, of the same shape.

    None where they do more than add to it, or that is not known.
    """
    peft = sys.modules.get("peft")
    if peft is None or not isinstance(layer, peft.tuners.lora.LoraLayer):
        return None
    if layer.disable_adapters:
        return None if layer.merged else 0.0  # it is taken out again when the layer is called
    if layer.merged:
        return 0.0
    active = [name for name in layer.active_adapters if name in layer.lora_A]
    if any(name in getattr(layer, "lora_variant", {}) for name in active):
        return None
    added: Tensor | float = sum(layer.get_delta_weight(name) for name in active)
    return added
