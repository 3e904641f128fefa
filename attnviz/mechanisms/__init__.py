"""Attention as the papers write it: short reference functions that can be read in one sitting.

`attend` is the whole of it: scores of every query and key, scaled, masked, turned into weights,
and the weighted sum of the values, with every step kept. The other files are its parts:

- `scores`: dot, scaled dot, general, additive and concat;
- `weights`: soft and hard; `local`: around a position;
- `masks`: causal and padding;
- `heads`: several heads, self- and cross-attention with projections;
- `families`: the scores by name, for parameters that come from a file.

Queries have the shape (..., queries, d), keys (..., keys, d), values (..., keys, d_v). Everything
is differentiable but `hard` and `sampled`. `recurrent` is an encoder-decoder built on this.
"""

from attnviz.mechanisms.attention import Attention, attend, scaled_dot_product
from attnviz.mechanisms.families import FAMILIES, Family, attend_by_name
from attnviz.mechanisms.heads import (
    Projections,
    cross_attention,
    merge_heads,
    multi_head,
    self_attention,
    split_heads,
)
from attnviz.mechanisms.local import local, near, predicted_position
from attnviz.mechanisms.masks import causal, padding
from attnviz.mechanisms.scores import Score, additive, concat, dot, general, scaled_dot
from attnviz.mechanisms.weights import Weighing, hard, sampled, soft

__all__ = [
    "FAMILIES",
    "Attention",
    "Family",
    "Projections",
    "Score",
    "Weighing",
    "additive",
    "attend",
    "attend_by_name",
    "causal",
    "concat",
    "cross_attention",
    "dot",
    "general",
    "hard",
    "local",
    "merge_heads",
    "multi_head",
    "near",
    "padding",
    "predicted_position",
    "sampled",
    "scaled_dot",
    "scaled_dot_product",
    "self_attention",
    "soft",
    "split_heads",
]
