"""One error over several looks."""

from __future__ import annotations

import numpy as np
import pytest

from self_improve.verdict.statistics import flips
from self_improve.verdict.statistics.spending import RepeatedTest


def test_a_test_fires_where_few_flips_are_as_extreme() -> None:
    """Six pairs of one sign are one flip of 64."""
    sums = flips.flips(6, seed=1).sums(np.ones((6, 1)))[0]
    assert RepeatedTest(64).test(sums, limit=0.02).fires
    assert not RepeatedTest(64).test(sums, limit=0.01).fires


def test_the_middle_counts_ties_by_half() -> None:
    """Five pairs of one sign are one flip of 32, and count for half of that."""
    sums = flips.flips(5, seed=1).sums(np.ones((5, 1)))[0]
    assert RepeatedTest(32).test(sums, limit=1.0).p == pytest.approx(1 / 32)
    assert RepeatedTest(32).test(sums, limit=1.0, middle=True).p == pytest.approx(1 / 64)


def test_looks_together_keep_the_error() -> None:
    """Over data without an effect, four looks fire in no more cases than were allowed."""
    chance, fired, tries = np.random.default_rng(7), 0, 600
    for _ in range(tries):
        values = chance.normal(0, 1, (24, 1))
        every, row, hits = flips.drawn(24, seed=1, count=800), RepeatedTest(800), False
        for number, share in enumerate((0.25, 0.5, 0.75, 1.0), start=1):
            part = flips.Flips(signs=every.signs[: 6 * number], exact=False)
            sums = part.sums(values[: 6 * number])[0]
            hits |= row.test(sums, limit=0.10 * share**1.5).fires
        fired += hits
        assert row.spent <= 0.10
    # 0.10 and a 99 % bound on it.
    assert fired / tries < 0.10 + 2.33 * (0.1 * 0.9 / tries) ** 0.5
    assert fired / tries > 0.05


def test_a_test_knows_that_other_flips_might_decide_otherwise() -> None:
    """Near its limit, and not beyond several standard errors of the drawn flips."""
    sums = flips.drawn(20, seed=1, count=1000).sums(np.ones((20, 1)))[0]
    sums[0] = 7.0  # 62 of 1,000 flips are as far, and the error is about 8.
    for limit, is_close in ((0.01, False), (0.04, True), (0.07, True), (0.2, False)):
        row = RepeatedTest(1000)
        assert row.test(sums, limit=limit).fires == (limit > 0.062)
        assert row.is_close == is_close
    row = RepeatedTest(1000)
    row.test(sums, limit=0.07, possible=np.zeros(1000, dtype=bool))
    assert not row.is_close


def test_what_has_fired_stays_fired() -> None:
    """A later look with less evidence does not take it back."""
    every = flips.drawn(12, seed=1, count=2000)
    row = RepeatedTest(2000)
    early = flips.Flips(signs=every.signs[:8], exact=False).sums(np.ones((8, 1)))[0]
    assert row.test(early, limit=0.02).fires
    late = every.sums(np.array([1.0] * 8 + [-2.0] * 4)[:, None])[0]
    assert row.test(late, limit=0.025).fires


def test_only_possible_flips_are_spent() -> None:
    """What could not fire takes nothing from later looks."""
    sums = flips.flips(6, seed=1).sums(np.ones((6, 1)))[0]
    row = RepeatedTest(64)
    assert not row.test(sums, limit=0.5, possible=np.zeros(64, dtype=bool)).fires
    assert row.spent == 0
    assert row.test(sums, limit=0.02).fires


def test_widening_fires_less_often() -> None:
    """The same sums have a larger p-value, and fewer flips are spent."""
    sums = flips.flips(40, seed=1).sums(np.random.default_rng(2).normal(0.4, 1, (40, 1)))[0]
    plain, wide = RepeatedTest(len(sums)), RepeatedTest(len(sums))
    assert plain.test(sums, limit=0.025).p < wide.test(sums, limit=0.025, widened=1.5).p
    assert wide.spent < plain.spent <= 0.025


def test_a_p_value_that_is_known_exactly_is_taken() -> None:
    """The flips are then only needed for what is spent."""
    row = RepeatedTest(4)
    exact_p = np.array([0.01, 0.2, 0.9, 0.5])
    outcome = row.test(np.zeros(4), limit=0.02, exact_p=exact_p)
    assert (outcome.p, outcome.fires, row.spent) == (0.01, True, 0.25)
