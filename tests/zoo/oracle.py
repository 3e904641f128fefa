"""What each tiny model's own eager attention says: the maps every capture is compared with."""

from __future__ import annotations

import inspect
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor
from transformers.utils.generic import ModelOutput

from tests.zoo.layouts import LAYOUTS
from tests.zoo.names import ALL_TEXT, CASES
from tests.zoo.overrides import DROPPED, ROWS_BELOW_ONE
from tests.zoo.shrink import build, quiet
from tests.zoo.sizes import FIRST_TEXT_TOKEN, POSITIONS, VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from transformers import PreTrainedModel

__all__ = ["ALL_TEXT", "CASES", "Map", "Padding", "eager_maps", "eager_run", "inputs", "problem"]

Padding = Literal["none", "left", "right"]

FIELDS = ("attentions", "encoder_attentions", "decoder_attentions", "cross_attentions")
PADDED = 5
"""How many tokens of the second row of a batch are padding."""
DECODER_TOKENS = 17


@dataclass(frozen=True, slots=True)
class Map:
    """One attention map of the eager twin.

    `weights`: float32, shape (batch, head, query, key). `module`: the module that first returned
    it, e.g. "layers.3.self_attn"; None where no module does. `entry`: its place in the field,
    counting the entries of layers without attention too.
    """

    field: str
    entry: int
    module: str | None
    weights: Tensor


def inputs(
    model: PreTrainedModel,
    padding: Padding = "none",
    *,
    tokens: int = 24,
    batch: int = 2,
    seed: int = 0,
) -> dict[str, Tensor]:
    """Random text for `model`, with the last row of the batch padded on one side.

    `input_ids` and `attention_mask`, each int64 of shape (batch, tokens), always; an
    encoder-decoder also gets unpadded `decoder_input_ids` of another length.
    """
    generator = torch.Generator().manual_seed(seed)
    given = {
        "input_ids": _random_ids((batch, tokens), generator),
        "attention_mask": torch.ones(batch, tokens, dtype=torch.long),
    }
    if padding != "none":
        cut = slice(0, PADDED) if padding == "left" else slice(tokens - PADDED, tokens)
        given["attention_mask"][-1, cut] = 0
        given["input_ids"][-1, cut] = _pad_token(model)
    return given | _extra_inputs(model, batch, tokens, generator)


def _extra_inputs(
    model: PreTrainedModel, batch: int, tokens: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """What some architectures need besides the ids of the text."""
    accepted = inspect.signature(model.forward).parameters
    extra: dict[str, Tensor] = {}
    if "decoder_input_ids" in accepted:
        channels = getattr(getattr(model.config, "decoder_config", None), "num_channels", None)
        shape = (batch, DECODER_TOKENS) + ((channels,) if channels else ())
        extra["decoder_input_ids"] = _random_ids(shape, generator)
    if "bbox" in accepted:  # corners (x0, y0, x1, y1) of every token on its page
        corners = torch.randint(0, POSITIONS // 2, (batch, tokens, 2), generator=generator)
        sides = torch.randint(0, POSITIONS // 2, (batch, tokens, 2), generator=generator)
        boxes = torch.cat([corners, corners + sides], dim=-1)
        extra["bbox"] = boxes / POSITIONS if model.config.model_type == "udop" else boxes
    if model.config.model_type == "voxtral_realtime_text":  # embedding of the delay
        extra["t_cond"] = torch.randn(1, model.config.hidden_size, generator=generator)
    return extra


def _random_ids(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Ids of ordinary tokens, none of them special."""
    return torch.randint(FIRST_TEXT_TOKEN, VOCABULARY, shape, generator=generator)


def _pad_token(model: PreTrainedModel) -> int:
    """The model's padding id, 0 where it has none."""
    return getattr(model.config, "pad_token_id", None) or 0


def eager_maps(name: str, given: dict[str, Tensor], seed: int = 0) -> dict[str, list[Tensor]]:
    """The eager twin's attention by output field, maps of shape (batch, head, query, key) only."""
    maps: dict[str, list[Tensor]] = {}
    for found in eager_run(name, given, seed):
        if found.weights.ndim == 4 and not dropped(name, found):
            maps.setdefault(found.field, []).append(found.weights)
    return maps


def dropped(name: str, found: Map) -> str | None:
    """Why a map that the eager twin returns is not compared, None where it is."""
    origin = f"{found.field}:{found.module}"
    return next((why for what, why in DROPPED.get(name, {}).items() if fnmatch(origin, what)), None)


def eager_run(name: str, given: dict[str, Tensor], seed: int = 0) -> list[Map]:
    """Every attention tensor that the eager twin of `name` returns, with its origin."""
    model = build(name, attn_implementation="eager", seed=seed)
    with quiet(), torch.no_grad(), _origins(model) as origins:
        output = model(**given, output_attentions=True, return_dict=True)
    return [
        Map(field, entry, origins.get(id(weights)), _dense(name, field, weights, given))
        for field in FIELDS
        for entry, weights in enumerate(_flat(_field(output, field)))
        if weights is not None
    ]


def _dense(name: str, field: str, weights: Tensor, given: dict[str, Tensor]) -> Tensor:
    """The weights with a row per query and a column per key, where a layout is known."""
    layout = LAYOUTS.get((name, field))
    return weights if layout is None else layout(weights, lengths(field, given)[1])


def _field(output: ModelOutput, field: str) -> Any:
    """An output field, looked for in the outputs of the parts too."""
    parts = [part for part in output.values() if isinstance(part, ModelOutput)]
    found = (part.get(field) for part in (output, *parts))
    return next((value for value in found if value is not None), None)


def _flat(entries: Any) -> Iterator[Tensor | None]:
    """The tensors of one output field, with None for layers without attention."""
    if entries is None or isinstance(entries, Tensor):
        yield entries
        return
    for entry in entries.values() if isinstance(entries, dict) else entries:
        yield from _flat(entry)


@contextmanager
def _origins(model: PreTrainedModel) -> Iterator[dict[int, str]]:
    """Collect, during a run, the id of each 4-D output tensor and the module it came from."""
    origins: dict[int, str] = {}
    alive: list[Tensor] = []  # an id is only unique while its tensor lives

    def note(name: str, output: Any) -> None:
        for part in output if isinstance(output, tuple | list) else ():
            if isinstance(part, Tensor) and part.ndim == 4 and id(part) not in origins:
                origins[id(part)] = name
                alive.append(part)

    hooks = [
        module.register_forward_hook(lambda _module, _args, output, name=name: note(name, output))
        for name, module in model.named_modules()
    ]
    try:
        yield origins
    finally:
        for hook in hooks:
            hook.remove()


def problem(name: str, found: Map, given: dict[str, Tensor]) -> str | None:
    """Why a map is no oracle, None where it is one.

    It must have a row per query and a column per key, and rows of real queries that are not all
    uniform and sum to 1 (to less for `ROWS_BELOW_ONE`).
    """
    weights = found.weights
    queries, keys = lengths(found.field, given)
    if weights.ndim != 4 or tuple(weights.shape[2:]) != (queries, keys):
        return f"{found.field} has shape {tuple(weights.shape)}, not (.., .., {queries}, {keys})"
    if not weights.isfinite().all():
        return f"{found.field} holds values that are not finite"
    query_is_real = given["attention_mask"].bool()
    if found.field in ("decoder_attentions", "cross_attentions"):
        query_is_real = torch.ones(len(weights), queries, dtype=torch.bool)
    rows = weights.transpose(1, 2)[query_is_real]  # (real query, head, key)
    sums = rows.sum(-1)
    if sums.max() > 1 + 1e-4 or rows.min() < 0:
        return f"{found.field} rows sum to {sums.min():.4f}..{sums.max():.4f}"
    if sums.min() < 1 - 1e-4 and name not in ROWS_BELOW_ONE:
        return f"{found.field} rows sum to {sums.min():.4f}..{sums.max():.4f}"
    if sums.min() < 1e-6:
        return f"{found.field} has an empty row"
    if float(_unevenness(rows).mean()) < 0.01:
        return f"{found.field} is almost uniform"
    return None


def _unevenness(rows: Tensor) -> Tensor:
    """Total variation distance of rows (.., key) from the uniform one over the same keys."""
    seen = (rows > 0).to(rows.dtype)
    even = seen / seen.sum(-1, keepdim=True)
    return (rows / rows.sum(-1, keepdim=True) - even).abs().sum(-1) / 2


def lengths(field: str, given: dict[str, Tensor]) -> tuple[int, int]:
    """Query and key count of the maps of an output field."""
    source = given["input_ids"].shape[1]
    target = given.get("decoder_input_ids", given["input_ids"]).shape[1]
    if field == "cross_attentions":
        return target, source
    return (target, target) if field == "decoder_attentions" else (source, source)
