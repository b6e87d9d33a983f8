"""Means and their intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from self_improve.verdict.statistics import intervals


def test_the_interval_of_a_mean_is_students() -> None:
    """As scipy computes it."""
    values = [0.1, 0.4, -0.2, 0.3, 0.25]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    result = intervals.interval(values)
    assert result is not None
    assert (result.low, result.high) == pytest.approx((expected.low, expected.high))


def test_drift_widens_an_interval() -> None:
    """By its factor, around the same mean."""
    one, wide = (intervals.interval([1.0, 2.0, 4.0], widened=w) for w in (1.0, 1.5))
    assert one is not None
    assert wide is not None
    assert wide.half == pytest.approx(1.5 * one.half)


@pytest.mark.parametrize("values", [[], [0.3]])
def test_fewer_than_two_values_have_no_interval(values: list[float]) -> None:
    """It is undefined, and not of width zero."""
    assert intervals.interval(values) is None


def test_clusters_count_once_each() -> None:
    """Ten equal cells of a plan tell no more of other plans than one of them."""
    plans = ["a"] * 10 + ["b", "c"]
    values = [1.0] * 10 + [2.0, 4.0]
    assert intervals.clustered(values, plans) == intervals.interval([1.0, 2.0, 4.0])


def test_the_clustered_interval_covers_the_truth_where_cells_of_a_plan_hang_together() -> None:
    """In 95 of 100 cases, where the one over cells covers far less."""
    chance, covered, naive, tries = np.random.default_rng(3), 0, 0, 400
    for _ in range(tries):
        plans = np.repeat(np.arange(5), 7)
        values = (chance.normal(0, 1, 5)[plans] + chance.normal(0, 0.3, 35)).tolist()
        reach, over_cells = intervals.clustered(values, plans.tolist()), intervals.interval(values)
        assert reach is not None
        assert over_cells is not None
        covered += reach.low <= 0 <= reach.high
        naive += over_cells.low <= 0 <= over_cells.high
    assert 0.92 < covered / tries < 0.98
    assert naive / tries < 0.8


def test_leaving_a_cluster_out_leaves_the_mean_of_the_rest() -> None:
    """For each cluster in turn; with one cluster there is nothing left."""
    result = intervals.left_out([1.0, 3.0, 5.0], ["a", "a", "b"])
    assert result == {"a": 5.0, "b": 2.0}
    assert intervals.left_out([1.0, 2.0], ["a", "a"]) == {}
