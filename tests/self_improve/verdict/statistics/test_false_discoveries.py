"""Many metrics at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from self_improve.verdict.statistics.false_discoveries import benjamini_hochberg, holm


@given(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=20))
def test_the_rates_are_those_of_benjamini_and_hochberg(p_values: list[float]) -> None:
    """Each is the smallest p * tests / rank of all that are at least as large, and 1 at most."""
    named = {str(n): p for n, p in enumerate(p_values)}
    order = sorted(named, key=lambda name: named[name])
    steps = [named[name] * len(order) / rank for rank, name in enumerate(order, start=1)]
    expected = {name: min(1.0, *steps[rank:]) for rank, name in enumerate(order)}
    assert benjamini_hochberg(named) == pytest.approx(expected)


def test_what_is_undefined_stays_so_and_counts_for_nothing() -> None:
    """A metric without a p-value makes no other one less certain."""
    assert benjamini_hochberg({"a": 0.01, "b": None}) == {"a": 0.01, "b": None}
    assert benjamini_hochberg({}) == {}


def test_false_discoveries_stay_few() -> None:
    """Among metrics that did not move, no more than the rate seem to have moved."""
    chance, wrong = np.random.default_rng(1), 0
    for _ in range(300):
        named = {str(n): float(p) for n, p in enumerate(chance.random(20))}
        wrong += any((q or 1) < 0.1 for q in benjamini_hochberg(named).values())
    assert wrong / 300 < 0.1 + 2.33 * (0.1 * 0.9 / 300) ** 0.5


def test_holm_multiplies_each_by_those_that_are_left() -> None:
    """By hand: 3 x .01, 2 x .02, and .03 is no less than what went before; ones are the most."""
    result = holm({"c": 0.03, "a": 0.01, "b": 0.02})
    assert result == pytest.approx({"c": 0.04, "a": 0.03, "b": 0.04})
    assert list(result) == ["c", "a", "b"]
    assert holm({"a": 0.4, "b": 0.9}) == pytest.approx({"a": 0.8, "b": 0.9})
    assert holm({"a": 0.6, "b": 0.9}) == pytest.approx({"a": 1.0, "b": 1.0})


@given(st.lists(st.floats(0, 1, allow_nan=False), min_size=1, max_size=12))
def test_holm_says_what_his_procedure_rejects(p_values: list[float]) -> None:
    """From the smallest on, each against the level over the number left, until one fails."""
    named = {str(n): p for n, p in enumerate(p_values)}
    for level in (0.01, 0.05, 0.2):
        rejected = set()
        for left, name in zip(
            range(len(named), 0, -1), sorted(named, key=lambda one: named[one]), strict=True
        ):
            if named[name] * left > level:
                break
            rejected.add(name)
        assert {name for name, p in holm(named).items() if p is not None and p <= level} == rejected


def test_holm_leaves_out_what_is_undefined() -> None:
    """It makes no other p-value larger."""
    assert holm({"a": 0.02, "b": None, "c": 0.5}) == {"a": 0.04, "b": None, "c": 0.5}
    assert holm({}) == {}


def test_holm_seldom_finds_anything_where_nothing_moved() -> None:
    """The rate of any false discovery at all is kept, also among dependent tests."""
    chance, wrong = np.random.default_rng(1), 0
    for _ in range(400):
        shared = chance.normal()
        seen = 0.7 * shared + 0.51**0.5 * chance.normal(size=10)
        named = {str(n): float(p) for n, p in enumerate(2 * stats.norm.sf(np.abs(seen)))}
        wrong += any(p is not None and p <= 0.05 for p in holm(named).values())
    assert wrong <= stats.binom.ppf(0.99, 400, 0.05)
