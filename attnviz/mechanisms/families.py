"""The scores by name, with the parameters that each needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.errors import InputError
from attnviz.mechanisms import scores
from attnviz.mechanisms.heads import multi_head
from attnviz.mechanisms.weights import Weighing, soft

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor

    from attnviz.mechanisms.attention import Attention


@dataclass(frozen=True, slots=True)
class Family:
    """One way to score, as a reader meets it: its name, formula, paper and parameters.

    `scaled` says that the scores are divided by √d of a head.
    """

    name: str
    formula: str
    paper: str
    parameters: tuple[str, ...] = ()
    scaled: bool = False

    def score(self, parameters: Mapping[str, Tensor]) -> scores.Score:
        """The score before scaling, with its parameters filled in.

        Raises InputError that names a parameter which is missing.
        """
        given = [parameters[name] for name in self.parameters if name in parameters]
        if len(given) < len(self.parameters):
            missing = ", ".join(name for name in self.parameters if name not in parameters)
            raise InputError(
                f"the {self.name} score needs {missing}", f"its formula is {self.formula}"
            )
        function = FUNCTIONS[self.name]
        return lambda query, key: function(query, key, *given)

    def scale(self, width: int) -> float:
        """What the scores are multiplied by, for heads of this width."""
        return float(width**-0.5) if self.scaled else 1.0


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "dot": scores.dot,
    "scaled-dot": scores.dot,
    "general": scores.general,
    "additive": scores.additive,
    "concat": scores.concat,
}

FAMILIES: dict[str, Family] = {
    one.name: one
    for one in (
        Family("dot", "q·k", "Luong et al. 2015"),
        Family("scaled-dot", "q·k / √d", "Vaswani et al. 2017", scaled=True),
        Family("general", "qᵀ W k", "Luong et al. 2015", ("W",)),
        Family("additive", "vᵀ tanh(W q + U k)", "Bahdanau et al. 2014", ("W", "U", "v")),
        Family("concat", "vᵀ tanh(W [q; k])", "Luong et al. 2015", ("W", "v")),
    )
}


def attend_by_name(
    family: str,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    parameters: Mapping[str, Tensor] | None = None,
    *,
    heads: int = 1,
    mask: Tensor | None = None,
    weigh: Weighing = soft,
) -> Attention:
    """The attention of the family called `family`; the steps are (..., heads, queries, keys).

    Shapes as in `multi_head`; parameters as in the functions of `scores`, of one head's width.
    Raises InputError for an unknown name, a missing parameter, or shapes that do not fit.
    """
    if family not in FAMILIES:
        raise InputError(f"there is no {family} score", "there are " + ", ".join(FAMILIES))
    one = FAMILIES[family]
    score, scale = one.score(parameters or {}), one.scale(max(1, query.shape[-1] // max(1, heads)))
    return multi_head(query, key, value, heads, score, scale=scale, mask=mask, weigh=weigh)
