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
    return str(names[0]) if names else ""


def model_class(config: PreTrainedConfig, *, trust_remote_code: bool) -> Any:
    """The class to call `from_pretrained` on.

    The class that the config names, where transformers has it for this kind of config, else the
    family that its name ends with, else the plain model without a head.
    """
    import transformers

    name = architecture_of(config)
    remote: dict[str, str] = getattr(config, "auto_map", None) or {}
    if trust_remote_code and remote:
        return getattr(transformers, remote_family(remote, name))
    if name and (own := getattr(transformers, name, None)) is not None:
        expected = getattr(own, "config_class", None)
        if isinstance(expected, type) and isinstance(config, expected):
            return own
    return mapped_class(config, name) or transformers.AutoModel


def remote_family(remote: dict[str, str], name: str) -> str:
    """The auto class that the repository's own code registers for its architecture."""
    models = {auto: path for auto, path in remote.items() if auto.startswith("AutoModel")}
    exact = (auto for auto, path in models.items() if name and path.endswith(f".{name}"))
    return next(exact, next(iter(models), "AutoModel"))


def mapped_class(config: PreTrainedConfig, name: str) -> Any:
    """The auto class of the head's family, when it knows this kind of config."""
    import transformers

    family = next((auto for end, auto in FAMILIES.items() if name.endswith(end)), None)
    if family is None:
        return None
    auto = getattr(transformers, family)
    return auto if type(config) in auto._model_mapping else None
