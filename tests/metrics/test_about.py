"""The table of scores names what a run really gives, and its ranges hold."""

from __future__ import annotations

import numpy as np
import pytest

from attnviz.metrics.about import SCORES, Score
from attnviz.observe.blocks import Site
from attnviz.runs.plan import Plan
from attnviz.runs.repeated_tokens import PREFIX_MATCHING
from attnviz.runs.retain import Keeper
from tests.sources import observed, random_maps, tokens


@pytest.mark.parametrize("cross", [True, False])
def test_every_score_of_a_run_is_explained_and_in_range(cross: bool) -> None:
    axis = tokens(20, ids=(1, 2, 3, 4, 5) * 4)
    site = Site("self", "layers.0", 0, 0, 0, (0, 1, 2), 3, axis, axis, cross, False)
    observers = Keeper(Plan(budget=0, maps=1, keeps="scores", side=0, top=0))(site)
    kept = observed(random_maps(3, 20, seed=1), observers, cross=cross, queries=axis)
    found = {name[6:]: value for name, value in kept.items() if name.startswith("score.")}
    assert set(found) == set(SCORES) - {PREFIX_MATCHING}
    for name, value in found.items():
        about, real = SCORES[name], value[~np.isnan(value)]
        assert len(value) == 3
        assert ((real >= about.low) & (real <= about.high)).all(), name


@pytest.mark.parametrize("score", SCORES.values(), ids=[*SCORES])
def test_texts_are_one_short_line(score: Score) -> None:
    assert SCORES[score.name] is score
    assert 0 < len(score.meaning) <= 60
    assert score.chance
    assert score.low < score.high
