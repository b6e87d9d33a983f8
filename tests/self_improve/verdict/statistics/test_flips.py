"""Sign flips, and the p-values that they give."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.verdict.statistics import flips
from self_improve.verdict.statistics.flips import two_sided


def test_few_pairs_have_all_their_flips() -> None:
    """Five pairs have 32 different flips, the observed one first."""
    every = flips.flips(5, seed=1, count=1000)
    assert every.exact
    assert every.signs.shape == (5, 32)
    assert len({tuple(column) for column in every.signs.T.tolist()}) == 32
    assert every.signs[:, 0].tolist() == [1] * 5


def test_many_pairs_are_drawn_by_the_seed() -> None:
    """The same seed gives the same flips, another seed gives others."""
    one, same, other = (flips.flips(40, seed=seed, count=500) for seed in (1, 1, 2))
    assert not one.exact
    assert (one.signs == same.signs).all()
    assert (one.signs != other.signs).any()
    assert one.signs[:, 0].tolist() == [1] * 40


def test_drawn_flips_of_the_first_pairs_stay_when_others_follow() -> None:
    """A decision at an early look is found again when more cells have come."""
    few, many = flips.drawn(9, seed=3, count=500), flips.drawn(35, seed=3, count=500)
    assert (few.signs == many.signs[:9]).all()


def test_drawn_signs_are_fair() -> None:
    """Half of the signs are negative, and pairs flip independently of each other."""
    signs = flips.drawn(30, seed=5, count=4000).signs[:, 1:].astype(float)
    assert abs(signs.mean()) < 0.02
    correlations = np.corrcoef(signs)[~np.eye(30, dtype=bool)]
    assert np.abs(correlations).max() < 0.09


def test_an_exact_p_value_counts_every_flip() -> None:
    """It is the share of the 2^n sums that are at least as far from zero."""
    values = [0.4, -0.1, 0.3, 0.25, 0.2, 0.35]
    sums = [
        sum(s * v for s, v in zip(signs, values, strict=True))
        for signs in itertools.product((1, -1), repeat=6)
    ]
    expected = np.mean(np.abs(sums) >= abs(sum(values)) - 1e-12)
    result = flips.flips(6, seed=1, count=1000).sums(np.array(values)[:, None])[0]
    assert two_sided(result) == pytest.approx(expected)


def test_equal_sums_are_equal_whatever_the_order_of_adding() -> None:
    """Rounding errors break no tie."""
    result = flips.flips(6, seed=1, count=100).sums(np.full((6, 1), 0.1))[0]
    assert len(set(result.tolist())) == 7


def test_a_drawn_p_value_is_never_zero() -> None:
    """The observed flip is one of all that are counted."""
    result = flips.flips(60, seed=1, count=999).sums(np.ones((60, 1)))[0]
    assert two_sided(result) == pytest.approx(1 / 999)


def test_drift_makes_an_effect_less_probable() -> None:
    """The wider the sums may scatter, the larger the p-value of the same effect."""
    values = np.random.default_rng(1).normal(0.4, 1, (40, 1))
    sums = flips.flips(40, seed=1).sums(values)[0]
    p_values = [two_sided(sums, widened=drift) for drift in (1.0, 1.4, 1.9)]
    assert p_values == sorted(p_values)
    assert p_values[0] < p_values[2]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-5, 5, allow_nan=False), min_size=1, max_size=9))
def test_a_p_value_does_not_hang_on_the_direction(values: list[float]) -> None:
    """Exchanging the sides changes no two-sided p-value."""
    every = flips.flips(len(values), seed=1)
    column = np.array(values)[:, None]
    assert two_sided(every.sums(column)[0]) == two_sided(every.sums(-column)[0])
