"""A run as a call of the library: plain arguments in, typed once, captures out."""

from __future__ import annotations

import re
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from attnviz.attention.selection import Selection
from attnviz.errors import AttnvizError, InputError
from attnviz.inputs.encode import encode
from attnviz.inputs.tensors import from_tensors
from attnviz.models.load import wrap
from attnviz.runs.memory import bytes_of
from attnviz.runs.request import RunRequest
from attnviz.runs.run import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from torch import Tensor, nn

    from attnviz.attention.capture import Capture
    from attnviz.models.loaded import LoadedModel

Taken = ParamSpec("Taken")
Given = TypeVar("Given")
# The options of the command line that are parameters of a call too.
OPTIONS = re.compile(r"--(memory|pair|target|source-lang|target-lang|stack|query|key)\b(?!-)")


def naming_parameters(call: Callable[Taken, Given]) -> Callable[Taken, Given]:
    """The function, whose errors name its parameters where they would name options."""

    def named(text: str) -> str:
        return OPTIONS.sub(lambda option: option[1].replace("-", "_"), text)

    @wraps(call)
    def called(*args: Taken.args, **kwargs: Taken.kwargs) -> Given:
        try:
            return call(*args, **kwargs)
        except AttnvizError as error:
            error.message, error.hint = named(error.message), named(error.hint)
            error.args = (error.message,)
            raise

    return called


@naming_parameters
def capture(
    model: LoadedModel | nn.Module,
    inputs: str | Mapping[str, Any] | tuple[Any, ...] | Tensor,
    *,
    pair: str | None = None,
    target: str | None = None,
    source_lang: str | None = None,
    target_lang: str | None = None,
    layers: int | Iterable[int] | None = None,
    heads: int | Iterable[int] | Iterable[tuple[int, int]] | None = None,
    memory: int | str | None = None,
    untrusted: bool = False,
    anatomy: Mapping[str, Any] | None = None,
) -> Capture:
    """The attention of one text, or of one example given as tensors.

    `model` comes from `attnviz.load`, or is any transformers model or module of PyTorch; then
    `inputs` is what its forward takes: a mapping, a tuple, or one tensor. Modules are seen where
    they call `nn.MultiheadAttention` or `F.scaled_dot_product_attention`. `pair` is the second
    text of a pair, `target` the decoder's text, `source_lang` and `target_lang` the codes of their
    languages for models that mark them. `layers` and `heads` (a number or several, those from
    the end negative; heads also as pairs of layer and head) restrict what is observed: the rest
    costs nothing. `memory` (bytes, or such as "4GiB") bounds the maps that are kept; what
    does not fit is pooled. A capture that fails its self-checks (weights that are not finite, rows
    that do not sum to 1) is an error, unless `untrusted`: then its `checks` and `notes` say what
    failed. `anatomy` hands in facts of a class that attnviz does not know (see `attnviz.load`).

    Raises InputError, SelectionError, CaptureError or ModelError.
    """
    selection = Selection.of(layers, heads)
    if isinstance(inputs, str):
        request = RunRequest(selection, bytes_of(memory, "memory"), untrusted=untrusted)
        loaded = wrap(model, anatomy=anatomy)
        encoded = encode(
            loaded,
            inputs,
            pair=pair,
            target=target,
            source_lang=source_lang,
            target_lang=target_lang,
        )
        return run(loaded, encoded, request)[0]
    if any(part is not None for part in (pair, target, source_lang, target_lang)):
        raise InputError(
            "tensors are given whole", "leave pair, target, source_lang and target_lang out"
        )
    examples = captures(
        model, inputs, selection=selection, memory=memory, untrusted=untrusted, anatomy=anatomy
    )
    if len(examples) > 1:
        raise InputError(
            f"the tensors hold {len(examples)} examples, a capture holds one",
            "attnviz.captures gives a list",
        )
    return examples[0]


@naming_parameters
def captures(
    model: LoadedModel | nn.Module,
    tensors: Mapping[str, Any] | tuple[Any, ...] | Tensor,
    *,
    selection: Selection | None = None,
    memory: int | str | None = None,
    untrusted: bool = False,
    anatomy: Mapping[str, Any] | None = None,
) -> list[Capture]:
    """The attention of every example of a batch of tensors, padded on either side."""
    request = RunRequest(selection or Selection(), bytes_of(memory, "memory"), untrusted=untrusted)
    loaded = wrap(model, anatomy=anatomy)
    inputs = from_tensors(loaded.model, tensors, loaded.tokenizer, loaded.anatomy)
    return run(loaded, inputs, request)
