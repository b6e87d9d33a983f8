"""Many metrics at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from self_improve.statistics.false_discoveries import adjusted


@given(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=20))
def test_the_rates_are_those_of_benjamini_and_hochberg(p_values: list[float]) -> None:
    """As scipy computes them."""
    named = {str(n): p for n, p in enumerate(p_values)}
    wanted = stats.false_discovery_control(p_values)
    assert list(adjusted(named).values()) == pytest.approx(wanted.tolist())


def test_what_is_undefined_stays_so_and_counts_for_nothing() -> None:
    """A metric without a p-value makes no other one less certain."""
    assert adjusted({"a": 0.01, "b": None}) == {"a": 0.01, "b": None}
    assert adjusted({}) == {}


def test_false_discoveries_stay_few() -> None:
    """Among metrics that did not move, no more than the rate seem to have moved."""
    chance, wrong = np.random.default_rng(1), 0
    for _ in range(300):
        named = {str(n): float(p) for n, p in enumerate(chance.random(20))}
        wrong += any((q or 1) < 0.1 for q in adjusted(named).values())
    assert wrong / 300 < 0.1 + 2.33 * (0.1 * 0.9 / 300) ** 0.5
