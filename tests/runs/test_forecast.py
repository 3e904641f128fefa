"""The time of a run from short runs, and the paths of a model's layers."""

from __future__ import annotations

import time

import pytest
import torch

from attnviz.attention.selection import Selection
from attnviz.inputs.tensors import from_tensors
from attnviz.models.load import wrap
from attnviz.runs.forecast import Forecast, forecast, shortened, timed
from attnviz.runs.plan import Plan
from attnviz.runs.request import RunRequest
from tests.observe.runs import ids
from tests.zoo.shrink import build


@pytest.mark.parametrize(("linear", "square"), [(0.01, 0.0), (0.0, 1e-5), (0.003, 2e-6)])
def test_the_curve_goes_through_the_short_runs(linear: float, square: float) -> None:
    def cost(tokens: int) -> float:
        return linear * tokens + square * tokens**2

    tries = tuple((n, cost(n)) for n in (128, 256))
    found = Forecast(Plan(1, 1), 30_000, (), tries)
    assert found.seconds == pytest.approx(cost(30_000))


@pytest.mark.parametrize("tries", [((8, 0.5),), ((4, 0.5), (8, 0.3)), ((64, 0.1), (128, 9.0))])
def test_noise_gives_no_negative_times(tries: tuple[tuple[int, float], ...]) -> None:
    found = Forecast(Plan(1, 1), 1000, (), tries)
    assert 0 < found.at(1000) <= tries[-1][1] * (1000 / tries[-1][0]) ** 2


@pytest.mark.parametrize("tokens", [1, 2, 5, 300, 5000])
def test_short_runs_read_at_most_half(tokens: int) -> None:
    read: list[int] = []
    tries = timed(read.append, tokens, time.perf_counter)
    assert max(read) <= max(1, tokens // 2)
    assert [length for length, _ in tries for _ in range(2)] == read[1:]
    assert len(tries) > (tokens > 2)


def test_a_disturbed_run_counts_for_nothing() -> None:
    now, runs = [0.0], [0]

    def run(tokens: int) -> None:
        runs[0] += 1
        now[0] += tokens / 10_000 * (3 if runs[0] % 2 else 1)

    tries = timed(run, 4000, lambda: now[0])
    assert [length for length, _ in tries] == [125, 250, 500, 1000, 2000]
    assert Forecast(Plan(1, 1), 4000, (), tries).seconds == pytest.approx(0.4)


def test_short_runs_stop_where_they_take_long() -> None:
    now, read = [0.0], []

    def run(tokens: int) -> None:
        read.append(tokens)
        now[0] += 3 + tokens / 1000

    assert [length for length, _ in timed(run, 32_000, lambda: now[0])] == [125, 250]
    assert read == [125, 125, 250]  # the first warms up, slow ones are not repeated


@pytest.mark.parametrize("slow", range(5))
@pytest.mark.parametrize("square", [1e-7, 5e-7])
def test_one_slow_length_moves_the_time_little(slow: int, square: float) -> None:
    tries = [(n, 1e-4 * n + square * n**2) for n in (125, 250, 500, 1000, 2000)]
    real = 1e-4 * 4000 + square * 4000**2
    tries[slow] = (tries[slow][0], 1.5 * tries[slow][1])
    assert 0.5 < Forecast(Plan(1, 1), 4000, (), tuple(tries)).seconds / real < 2


def test_a_shortened_input_keeps_its_ends() -> None:
    inputs = from_tensors(build("llama"), {"input_ids": ids(1, 20)})
    short = shortened(inputs, 6)
    own, all_ = short.tensors["input_ids"][0].tolist(), inputs.tensors["input_ids"][0].tolist()
    assert own == [*all_[:5], all_[-1]]
    assert len(short.source) == 6


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("llama", "recomputed"),
        ("gemma2", "own function"),  # soft-cap
        ("gpt_oss", "own function"),  # sinks
        ("bloom", "own tensor"),
    ],
)
def test_it_is_told_how_the_rows_come_about(name: str, origin: str) -> None:
    model = build(name)
    inputs = from_tensors(model, {"input_ids": ids(1, 20)})
    found = forecast(wrap(model), inputs, RunRequest(Selection.parse(layer="0", head="1,3")))
    first, *rest = found.paths
    assert (first.layers, first.heads, first.origin) == ((0,), 2, origin)
    assert {(one.heads, one.origin) for one in rest} == {(0, None)}


@pytest.mark.parametrize(("tokens", "dtype", "size"), [(20, "float32", 4), (33, "bfloat16", 2)])
@pytest.mark.parametrize(("name", "whole"), [("llama", 0), ("gemma2", 1), ("bloom", 1)])
def test_maps_that_the_model_makes_whole_are_counted(
    name: str, whole: int, tokens: int, dtype: str, size: int
) -> None:
    loaded = wrap(build(name).to(getattr(torch, dtype)))
    inputs = from_tensors(loaded.model, {"input_ids": ids(1, tokens)})
    found = forecast(loaded, inputs, RunRequest(Selection.parse(head="L1H0")))
    assert found.own_maps == whole * size * loaded.facts.heads * tokens**2


def test_the_longer_side_counts() -> None:
    model = build("t5", attn_implementation="eager")
    given = {"input_ids": ids(1, 9), "decoder_input_ids": ids(1, 21)}
    found = forecast(wrap(model), from_tensors(model, given), RunRequest())
    assert found.own_maps == 4 * model.config.num_heads * 21**2
