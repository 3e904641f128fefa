"""Loads a model by name, with its task head and its tokenizer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz.errors import AttnvizError, ModelError
from attnviz.models import hub
from attnviz.models.facts import describe
from attnviz.models.head import architecture_of, model_class
from attnviz.models.loaded import LoadedModel as LoadedModel
from attnviz.models.placement import DeviceMap, Placement, place
from attnviz.models.quiet import quiet
from attnviz.models.resolve import resolve
from attnviz.models.tokenizer import load_tokenizer
from attnviz.models.translate import MissingError, translate

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from attnviz.models.source import Source

# Called with what is about to be done: "download gpt2", "load gpt2".
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What every call to transformers is told: the place, the revision, what is allowed."""

    source: Source
    revision: str | None
    trust_remote_code: bool
    local_only: bool
    placement: Placement
    weights: bool = True

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `from_pretrained`."""
        return {
            "revision": self.revision,
            "trust_remote_code": self.trust_remote_code,
            "local_files_only": self.local_only,
        }

    @property
    def commit(self) -> str | None:
        """The commit that was loaded, of a model from the Hub."""
        if self.source.kind != "hub":
            return None
        folder = hub.snapshot(self.source.path_or_id, self.revision)
        return folder.name if folder else None


def load(
    name: str | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_remote_code: bool = False,
    offline: bool = False,
    progress: Progress | None = None,
    device_map: DeviceMap | None = None,
    quantize: str | None = None,
    weights: bool = True,
) -> LoadedModel:
    """The model called `name`, ready to run (see `resolve` for what a name may be).

    A model that is in the Hub cache is taken from there, without asking the Hub for a newer one.
    `device_map` spreads it over devices, main memory and disk as accelerate does ("auto", or a
    device by module), in place of `device`; `quantize` loads it in "8bit" or "4bit".
    Without `weights` it is on the meta device: what a run needs can be told, but it cannot be run.
    Raises ModelError when it cannot be found, fetched, read or placed on the device.
    """
    source = resolve(name)
    if revision is not None and source.kind != "hub":
        raise ModelError(f"{source.name} has no revisions: it is a folder", "leave --revision out")
    offline = offline or hub.is_offline()
    placement = place(device, dtype, device_map, quantize)
    here = Request(source, revision, trust_remote_code, True, placement, weights)
    anywhere = replace(here, local_only=False)
    if source.kind != "hub":
        request = anywhere if trust_remote_code and not offline else here
        return attempt(request, progress)
    if offline or hub.is_whole(source.path_or_id, revision):
        try:
            return attempt(here, progress)
        except MissingError:
            if offline:
                raise
    if hub.is_reachable():
        return attempt(anywhere, progress)
    try:
        return attempt(here, progress)
    except MissingError as error:
        raise hub.not_cached(source.path_or_id, "the Hub cannot be reached") from error


def attempt(request: Request, progress: Progress | None) -> LoadedModel:
    """The model as the request says, or a ModelError that says what is wrong."""
    if progress is not None:
        progress(f"{'load' if request.local_only else 'download'} {request.source.display}")
    try:
        with quiet(bars=progress is not None):
            return read(request)
    except AttnvizError:
        raise
    except Exception as error:
        translated = translate(error, request.source, request.revision, request.local_only)
        if translated is None:
            raise
        raise translated from error


def read(request: Request) -> LoadedModel:
    """Config, tokenizer and weights, read once each."""
    from transformers import AutoConfig

    from attnviz.mechanisms.recurrent import register

    register()
    where = request.source.path_or_id
    config = AutoConfig.from_pretrained(where, **request.options)
    tokenizer = load_tokenizer(where, config, request.options)
    cls = model_class(config, trust_remote_code=request.trust_remote_code)
    if not request.weights:
        outline = outlined(cls, config, request)
        return LoadedModel(outline, tokenizer, describe(outline, request.source), request.source)
    model, info = cls.from_pretrained(
        where,
        config=config,
        output_loading_info=True,
        **request.placement.options,
        **request.options,
    )
    untrained = tuple(sorted(info["missing_keys"]))
    if untrained and len(untrained) >= len(model.state_dict()):
        raise ModelError(
            f"the weights of {request.source.name} do not belong to {type(model).__name__}",
            "none of its weights is in the checkpoint",
        )
    placement = request.placement
    model = (model if placement.while_reading else model.to(placement.device)).eval()
    notes = [*head_notes(model, architecture_of(config)), *untrained_notes(untrained)]
    if tokenizer is None:
        notes.append(f"{request.source.display} has no tokenizer: it takes tensors only")
    facts = describe(model, request.source, request.commit)
    return LoadedModel(model, tokenizer, facts, request.source, untrained, tuple(notes))


def outlined(cls: Any, config: PreTrainedConfig, request: Request) -> PreTrainedModel:
    """The model of this class, an auto class or its own, on the meta device."""
    import torch

    auto = hasattr(cls, "from_config")
    options = {"trust_remote_code": request.trust_remote_code} if auto else {}
    with torch.device("meta"):
        model: PreTrainedModel = (cls.from_config if auto else cls)(config, **options)
    return model


def wrap(
    model: LoadedModel | nn.Module, tokenizer: PreTrainedTokenizerBase | None = None
) -> LoadedModel:
    """A model that is in memory already, as `load` would give it back; compiled ones as written."""
    from transformers import PreTrainedModel

    if isinstance(model, LoadedModel):
        return model
    model = getattr(model, "_orig_mod", model)
    if not isinstance(model, PreTrainedModel):
        from attnviz.models.plain import wrap_module

        return wrap_module(model)
    return LoadedModel(model, tokenizer, describe(model))


def head_notes(model: PreTrainedModel, wanted: str) -> list[str]:
    """A note when the class that the checkpoint names is not the one that was loaded."""
    got = type(model).__name__
    if not wanted or wanted == got:
        return []
    return [f"{wanted} is not a class of transformers for this config: loaded as {got}"]


def untrained_notes(untrained: tuple[str, ...]) -> list[str]:
    """A note when weights were set at random because the checkpoint does not hold them."""
    if not untrained:
        return []
    shown = ", ".join(untrained[:3]) + (", …" if len(untrained) > 3 else "")
    plural = "weight is" if len(untrained) == 1 else "weights are"
    return [f"{len(untrained)} {plural} not in the checkpoint and set at random: {shown}"]
