"""Loads a model by name, with its task head and its tokenizer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from attnviz.errors import ModelError
from attnviz.models.adapter import (
    ALONE,
    PREFIX,
    Adapter,
    active_adapters,
    adapter_notes,
    apply,
    base_of,
    fetched,
    find,
    has_base,
    kind_of,
    read_adapter,
    require_plain,
    shape_config,
    unwrapped,
)
from attnviz.models.anatomy.counts import main_counts
from attnviz.models.anatomy.handed import anatomy_of
from attnviz.models.anatomy.names import KNOWN
from attnviz.models.facts import describe
from attnviz.models.find import hub
from attnviz.models.find.resolve import resolve
from attnviz.models.gguf import file_notes, language_model, require_gguf, silently, whole
from attnviz.models.head import architecture_for, architecture_of, model_class
from attnviz.models.loaded import LoadedModel as LoadedModel
from attnviz.models.notes import (
    code_notes,
    head_notes,
    quantization_notes,
    tokenizer_notes,
    untrained_notes,
    unused_notes,
)
from attnviz.models.placement import DeviceMap, Placement, place
from attnviz.models.quiet import quiet
from attnviz.models.sane import require_counts, require_size
from attnviz.models.tokenizer import load_tokenizer
from attnviz.models.translate import MissingError, told

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from torch import nn
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from attnviz.models.anatomy.names import Anatomy
    from attnviz.models.find.source import Source

# Called with what is about to be done: "download gpt2", "load gpt2".
Progress = Callable[[str], None]
# A folder that no model has, in which transformers looks for an adapter in vain.
NO_FOLDER = ".attnviz-applies-adapters"


@dataclass(frozen=True)
class Request:
    """What every call to transformers is told: the place, the revision, what is allowed.

    `adapter` is what was asked for: a folder or Hub id, `none`, or None for the model's own.
    """

    source: Source
    revision: str | None
    trust_remote_code: bool
    local_only: bool
    placement: Placement
    weights: bool = True
    adapter: str | None = None
    anatomy: Anatomy = KNOWN

    @property
    def options(self) -> dict[str, Any]:
        """The keyword arguments of `from_pretrained`."""
        file = {"gguf_file": self.source.file} if self.source.file else {}
        return {
            "revision": self.revision,
            "trust_remote_code": self.trust_remote_code,
            "local_files_only": self.local_only,
            **file,
        }

    @property
    def commit(self) -> str | None:
        """The commit that was loaded, of a model from the Hub."""
        if self.source.kind != "hub":
            return None
        file = self.source.file or "config.json"
        folder = hub.snapshot(self.source.path_or_id, self.revision, file)
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
    adapter: str | None = None,
    weights: bool = True,
    anatomy: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """The model called `name`, ready to run (see `resolve` for what a name may be).

    A model that is in the Hub cache is taken from there, without asking the Hub for a newer one.
    `device_map` spreads it over devices, main memory and disk as accelerate does ("auto", or a
    device by module), in place of `device`; `quantize` loads it in "8bit" or "4bit". `adapter` is
    the folder or Hub id of an adapter of peft to apply; without it the one that lies with the model
    is applied, "none" leaves that out. The name of an adapter alone stands for the model that it
    is for, with the adapter applied.
    Without `weights` it is on the meta device: what a run needs can be told, but it cannot be run.
    `anatomy` hands in facts of a class that attnviz does not know, by the name or number of each:
    `{"heads": "n_chunks", "output_projection": "mix"}` (see `models.anatomy.names`).
    Raises ModelError when it cannot be found, fetched, read or placed on the device, UsageError for
    facts that do not exist.
    """
    source = resolve(name)
    if revision is not None and source.kind != "hub":
        raise ModelError(f"{source.name} has no revisions: it is a folder", "leave --revision out")
    offline = offline or hub.is_offline()
    placement = place(device, dtype, device_map, quantize)
    here = Request(
        source, revision, trust_remote_code, True, placement, weights, adapter, anatomy_of(anatomy)
    )
    anywhere = replace(here, local_only=False)
    local = source.kind != "hub"
    if local or offline or hub.is_whole(source, revision):
        try:
            return attempt(
                anywhere if local and trust_remote_code and not offline else here, progress
            )
        except MissingError:
            if offline:
                raise
    if hub.is_reachable():
        return attempt(anywhere, progress)
    try:
        return attempt(here, progress)
    except MissingError as error:
        raise hub.not_cached(error.repo, "the Hub cannot be reached") from error


def attempt(request: Request, progress: Progress | None) -> LoadedModel:
    """The model as the request says, or a ModelError that says what is wrong."""
    if progress is not None:
        progress(f"{'load' if request.local_only else 'download'} {request.source.display}")
    with quiet(bars=progress is not None), telling(request):
        return read(request)


def telling(request: Request, part: str = "") -> AbstractContextManager[None]:
    """Inside it, whatever is raised says what is wrong with the source of the request."""
    bits = request.placement.quantize
    return told(request.source, request.revision, request.local_only, bits, part)


def read(request: Request) -> LoadedModel:
    """The model with the adapter that was asked for, or its own unless that is to be left out."""
    from attnviz.mechanisms.recurrent import register

    register()
    source, asked = request.source, request.adapter
    own = None if source.file else find(source, request.options)
    base, adapter = request, None
    if own is not None and not has_base(source, request.options):
        named, revision = base_of(source, own)
        base = replace(request, source=named, revision=revision)
        require_plain(named, base.options)
    base = replace(base, source=whole(base.source, base.options))
    if asked is None and own is not None:
        adapter = read_adapter(source, own, request.options)
    elif asked not in (None, ALONE):
        adapter = named_adapter(replace(request, source=resolve(asked), revision=None))
    with telling(base):
        loaded = read_model(base, adapter)
    if own is None or (adapter is not None and adapter.source == source):
        return loaded
    left_out = f"the adapter in {source.display} is not applied: --adapter {asked}"
    return replace(loaded, notes=(left_out, *loaded.notes))


def named_adapter(request: Request) -> Adapter:
    """The adapter that is the source of this request."""
    with telling(request):
        config = find(request.source, request.options, required=True)
        assert config is not None
        return read_adapter(request.source, config, request.options)


def read_model(request: Request, adapter: Adapter | None) -> LoadedModel:
    """Config, tokenizer and weights, read once each, and what the adapter makes of them."""
    from transformers import AutoConfig

    where = request.source.path_or_id
    if request.source.file:
        require_gguf(request.source)
    require_counts(request.source, request.options)
    config = AutoConfig.from_pretrained(where, **request.options)
    brought = adapter.weights() if adapter is not None else {}
    named = wanted = architecture_of(config)
    if request.source.file:
        wanted = language_model(config)
    if adapter is not None:
        wanted = architecture_for(adapter.head, wanted)
        shape_config(config, adapter, brought)
    with telling(request, "the tokenizer of "):
        tokenizer = read_tokenizer(request, adapter, config)
    cls = model_class(config, wanted, trust_remote_code=request.trust_remote_code)
    quantized = getattr(config, "quantization_config", None)
    read_it = with_weights if request.weights else outlined
    model, untrained, unused = read_it(cls, config, request)
    if request.weights and adapter is not None:
        apply(model, adapter, brought)
        untrained = tuple(one for one in untrained if f"{PREFIX}{one}" not in brought)
    notes = [
        *adapter_notes(model, None if adapter is None else adapter.source.display),
        *file_notes(model, request.source),
        *(quantization_notes(model, quantized, request.source) if request.weights else ()),
        *code_notes(model, tokenizer, request.source),
        *head_notes(model, named if wanted == named else ""),
        *untrained_notes(untrained),
        *unused_notes(model, unused),
        *tokenizer_notes(tokenizer, request.source),
    ]
    facts = describe(model, request.source, request.commit, request.anatomy)
    if adapter is not None:
        own = adapter.source == request.source
        label = kind_of(adapter.config).split()[0] if own else adapter.source.display
        facts = replace(facts, name=f"{facts.name} + {label}")
    return LoadedModel(
        model, tokenizer, facts, request.source, untrained, tuple(notes), request.anatomy
    )


def with_weights(
    cls: Any, config: PreTrainedConfig, request: Request
) -> tuple[PreTrainedModel, tuple[str, ...], tuple[str, ...]]:
    """The model of this class with the weights of its checkpoint, those that are not there, and
    those that are there and have no place in it.

    An adapter that lies there is not applied: transformers would, where peft is installed.
    """
    require_size(outline_of(cls, config, request), request.source, request.revision)
    with silently(request.source):
        model, info = cls.from_pretrained(
            request.source.path_or_id,
            config=config,
            output_loading_info=True,
            adapter_kwargs={"subfolder": NO_FOLDER},
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
    if not placement.while_reading:
        model = model.to(placement.device)
    return model.eval(), untrained, tuple(sorted(info["unexpected_keys"]))


def read_tokenizer(
    request: Request, adapter: Adapter | None, config: PreTrainedConfig
) -> PreTrainedTokenizerBase | None:
    """The tokenizer that was saved with the adapter, else that of the base model."""
    if adapter is not None and adapter.source != request.source:
        options = replace(request, source=adapter.source, revision=None).options
        if fetched(adapter.source, "tokenizer_config.json", options) is not None:
            own = load_tokenizer(adapter.source.path_or_id, config, options)
            if own is not None:
                return own
    return load_tokenizer(request.source.path_or_id, config, request.options)


def outlined(
    cls: Any, config: PreTrainedConfig, request: Request
) -> tuple[PreTrainedModel, tuple[str, ...], tuple[str, ...]]:
    """What `with_weights` gives, on the meta device: whatever it needs is taken to be there."""
    import torch

    auto = hasattr(cls, "from_config")
    options = {"trust_remote_code": request.trust_remote_code} if auto else {}
    with torch.device("meta"):
        model: PreTrainedModel = (cls.from_config if auto else cls)(config, **options)
    return model, (), ()


def outline_of(cls: Any, config: PreTrainedConfig, request: Request) -> PreTrainedModel | None:
    """What `outlined` gives, of a copy of the config; None where it cannot be built so."""
    try:
        return outlined(cls, deepcopy(config), request)[0]
    except Exception:  # code of the model's own: what is wrong with it shows when it is loaded
        return None


def wrap(
    model: LoadedModel | nn.Module,
    tokenizer: PreTrainedTokenizerBase | None = None,
    anatomy: Mapping[str, Any] | None = None,
) -> LoadedModel:
    """A model that is in memory already, as `load` would give it back; compiled ones as written.

    Of a model of peft it is the one inside, whose layers hold the adapters. `anatomy` is as for
    `load`; a loaded model keeps its own without one.
    """
    from transformers import PreTrainedModel

    known = anatomy_of(anatomy)
    if isinstance(model, LoadedModel):
        return model if anatomy is None else known_by(model, known)
    model = unwrapped(getattr(model, "_orig_mod", model))
    if isinstance(model, PreTrainedModel):
        found = LoadedModel(model, tokenizer, describe(model, anatomy=known), anatomy=known)
    else:
        from attnviz.models.wrapped import wrap_module

        found = wrap_module(model, known)
    name = " + ".join((found.facts.name, *active_adapters(model)))
    notes = (*adapter_notes(model), *found.notes)
    return replace(found, facts=replace(found.facts, name=name), notes=notes)


def known_by(loaded: LoadedModel, anatomy: Anatomy) -> LoadedModel:
    """The loaded model with what its config tells by these names."""
    counts = main_counts(loaded.model.config, anatomy)
    return replace(loaded, facts=replace(loaded.facts, **counts._asdict()), anatomy=anatomy)
