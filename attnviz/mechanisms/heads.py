"""Several heads: the same attention on slices of the width (Vaswani et al. 2017, section 3.2.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.mechanisms.attention import Attention, attend
from attnviz.mechanisms.scores import Score, dot
from attnviz.mechanisms.shapes import shown
from attnviz.mechanisms.weights import Weighing, soft

if TYPE_CHECKING:
    from torch import Tensor


def split_heads(states: Tensor, heads: int) -> Tensor:
    """(..., tokens, heads · d) as (..., heads, tokens, d).

    Raises InputError when the width is no multiple of the heads.
    """
    width = states.shape[-1]
    if heads < 1 or width % heads:
        raise InputError(
            f"{heads} heads cannot share {width} dimensions ({shown(states)})",
            "the dimensions must be a multiple of the heads",
        )
    return states.reshape(*states.shape[:-1], heads, width // heads).transpose(-3, -2)


def merge_heads(states: Tensor) -> Tensor:
    """(..., heads, tokens, d) as (..., tokens, heads · d): what `split_heads` took apart."""
    return states.transpose(-3, -2).flatten(-2)


def multi_head(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    heads: int,
    score: Score = dot,
    *,
    scale: float | None = None,
    mask: Tensor | None = None,
    weigh: Weighing = soft,
) -> Attention:
    """Every head's own attention on its slice of queries, keys and values.

    The steps are (..., heads, queries, keys); `merge_heads(result.output)` joins the outputs. The
    scale is 1/√d of one head unless given. A mask with one leading axis per example needs one of
    size 1 for the heads: (examples, 1, queries, keys).
    """
    q, k, v = (split_heads(one, heads) for one in (query, key, value))
    factor = float(q.shape[-1] ** -0.5) if scale is None else scale
    return attend(q, k, v, score, scale=factor, mask=mask, weigh=weigh)


@dataclass(frozen=True, slots=True)
class Projections:
    """The weights of multi-head attention: what `nn.MultiheadAttention` learns.

    W_Q, W_K, W_V and W_O as (out, in), the layout of `nn.Linear`; biases as (out) or None.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    output: Tensor
    query_bias: Tensor | None = None
    key_bias: Tensor | None = None
    value_bias: Tensor | None = None
    output_bias: Tensor | None = None


def project(states: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x Wᵀ + b, (..., tokens, out)."""
    out = states @ weight.mT
    return out if bias is None else out + bias


def cross_attention(
    states: Tensor,
    others: Tensor,
    weights: Projections,
    heads: int,
    mask: Tensor | None = None,
) -> tuple[Tensor, Attention]:
    """The new states (..., queries, width) of one sequence that looks at another, and the steps.

    states: (..., queries, width), others: (..., keys, width): the decoder's and the encoder's.
    """
    found = multi_head(
        project(states, weights.query, weights.query_bias),
        project(others, weights.key, weights.key_bias),
        project(others, weights.value, weights.value_bias),
        heads,
        mask=mask,
    )
    return project(merge_heads(found.output), weights.output, weights.output_bias), found


def self_attention(
    states: Tensor, weights: Projections, heads: int, mask: Tensor | None = None
) -> tuple[Tensor, Attention]:
    """The new states of a sequence that looks at itself, and the steps (see `cross_attention`)."""
    return cross_attention(states, states, weights, heads, mask)
