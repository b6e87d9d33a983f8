"""The number that loops maximise."""

from __future__ import annotations

from typing import Any

import pytest

from rubrics.rubric import Fitness, MetricUse, Rubric
from self_improve.measures.fitness import fitness, mean, quality
from self_improve.measures.measured import MeasuredCell

RUBRIC = Rubric(
    step="s", version=1, why="w",
    metrics=(
        MetricUse(metric="near_duplicates", weight=0.75, scale=0.02),
        MetricUse(metric="distinct_bigrams", direction="higher", weight=0.25, scale=0.05),
        MetricUse(metric="output_tokens", of="cell", weight=0, scale=1),
    ),
    fitness=Fitness(quality=0.5, latency=0.25, preference=0.25, seconds_a_call=10),
)  # fmt: skip
BEST = {"near_duplicates": 0.0, "distinct_bigrams": 1.0, "output_tokens": 900.0}


def cell(values: dict[str, float] | None = None, **changes: Any) -> MeasuredCell:
    """Return a cell that succeeded."""
    facts = {"plan": "p", "model": "m", "repeat": 0, "succeeded": True, **changes}
    return MeasuredCell(values=BEST if values is None else values, **facts)


def test_best_values_are_1_and_far_ones_0() -> None:
    """In between it is linear, in the shares of the weights."""
    assert quality(cell(), RUBRIC) == 1.0
    assert quality(cell({"near_duplicates": 0.9, "distinct_bigrams": 0.0}), RUBRIC) == 0.0
    half = cell({"near_duplicates": 0.1, "distinct_bigrams": 1.0})
    assert quality(half, RUBRIC) == pytest.approx(0.75 * 0.5 + 0.25)


def test_undefined_measure_is_left_out() -> None:
    """It counts neither for nor against."""
    assert quality(cell({"distinct_bigrams": 1.0}), RUBRIC) == 1.0
    assert quality(cell({}), RUBRIC) is None


def test_failed_cell_has_no_quality_and_counts_nothing_in_a_mean() -> None:
    """A loop must not like failing."""
    failed = cell({}, succeeded=False)
    assert quality(failed, RUBRIC) is None
    assert fitness(failed, RUBRIC) is None
    assert mean([cell(), failed], RUBRIC) == 0.5
    assert mean([], RUBRIC) is None


def test_slow_calls_cost_their_share() -> None:
    """Beyond the limit the ratio counts; what is not known is left out."""
    slow = cell(seconds=40.0, calls=2)
    assert fitness(slow, RUBRIC) == pytest.approx((0.5 * 1 + 0.25 * 0.5) / 0.75)
    assert fitness(cell(seconds=5.0, calls=2), RUBRIC) == 1.0
    assert fitness(slow, RUBRIC, preference=0.0) == pytest.approx(0.5 + 0.25 * 0.5)
