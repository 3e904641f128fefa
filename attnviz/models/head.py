"""Which class a checkpoint is loaded with, so that its task head comes along."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

# The class of transformers that finds the model for a config, by the end of the class name.
FAMILIES = {
    "ForCausalLM": "AutoModelForCausalLM",
    "LMHeadModel": "AutoModelForCausalLM",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "ForPreTraining": "AutoModelForPreTraining",
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForQuestionAnswering": "AutoModelForQuestionAnswering",
    "ForConditionalGeneration": "AutoModelForSeq2SeqLM",
    "ForNextSentencePrediction": "AutoModelForNextSentencePrediction",
    "ForMultipleChoice": "AutoModelForMultipleChoice",
}


def architecture_of(config: PreTrainedConfig) -> str:
    """The class that the checkpoint was saved from; empty when its config names none."""
    names = getattr(config, "architectures", None) or ()
    if isinstance(names, str):
        return names
    return str(names[0]) if names else ""


def architecture_for(head: str, named: str) -> str:
    """The class for an adapter of this head (see Adapter) on a base saved from the class `named`.

    Empty for the plain model.
    """
    if not head or family_of(head) == family_of(named) is not None:
        return named
    return "" if head == "Model" else head


def family_of(name: str) -> str | None:
    """The auto class of the task head that the name of a class ends with."""
    return next((auto for end, auto in FAMILIES.items() if name.endswith(end)), None)


def model_class(config: PreTrainedConfig, name: str, *, trust_remote_code: bool) -> Any:
    """The class to call `from_pretrained` on, for a model saved from the class `name`.

    The class of that name, where transformers has it for this kind of config, else the family that
    its name ends with, else the plain model without a head.
    """
    import transformers

    remote = models_of(getattr(config, "auto_map", None))
    if trust_remote_code and remote:
        return getattr(transformers, remote_family(remote, name))
    if name and (own := getattr(transformers, name, None)) is not None:
        expected = getattr(own, "config_class", None)
        if isinstance(expected, type) and isinstance(config, expected):
            return own
    return mapped_class(config, name) or transformers.AutoModel


def models_of(auto_map: Any) -> dict[str, str]:
    """The models among the classes that a repository's own code registers, by auto class."""
    entries = auto_map.items() if isinstance(auto_map, dict) else ()
    return {auto: str(path) for auto, path in entries if auto.startswith("AutoModel")}


def remote_family(remote: dict[str, str], name: str) -> str:
    """The auto class that the repository's own code registers for its architecture."""
    exact = (auto for auto, path in remote.items() if name and path.endswith(f".{name}"))
    return next(exact, next(iter(remote)))


def mapped_class(config: PreTrainedConfig, name: str) -> Any:
    """The auto class of the head's family, when it knows this kind of config."""
    import transformers

    family = family_of(name)
    if family is None:
        return None
    auto = getattr(transformers, family)
    return auto if type(config) in auto._model_mapping else None
