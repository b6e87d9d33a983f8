"""Exact tests of counts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from self_improve.verdict.statistics import exact


@pytest.mark.parametrize(("lost", "gained"), [(5, 0), (7, 1), (3, 3), (0, 4), (12, 5)])
def test_mcnemar_is_the_binomial_test_of_the_changed_pairs(lost: int, gained: int) -> None:
    """Two-sided, with probability one half."""
    expected = stats.binomtest(lost, lost + gained, 0.5).pvalue
    assert exact.mcnemar(lost, gained) == pytest.approx(expected)


def test_nothing_changed_is_no_evidence_of_anything() -> None:
    """Both tests are undefined then."""
    assert exact.mcnemar(0, 0) is None
    assert exact.mcnemar_lost(0, 0) is None


def test_five_of_five_lost_has_the_mid_p_of_one_in_64() -> None:
    """Half of the probability of what was seen."""
    assert exact.mcnemar_lost(5, 0) == pytest.approx(1 / 64)
    assert exact.mcnemar_lost(0, 5) == pytest.approx(63 / 64)


def test_every_net_loss_has_the_p_value_of_its_counts() -> None:
    """The table by net loss says what the counts say."""
    table = exact.mid_p_by_net_loss(6)
    for lost in range(7):
        assert table[2 * lost] == pytest.approx(exact.mcnemar_lost(lost, 6 - lost) or 0)


def test_net_losses_by_chance_are_those_of_all_outcomes() -> None:
    """Convolution gives what counting every outcome of three pairs gives."""
    rates = [0.3, 0.1, 0.5]
    expected = dict.fromkeys(range(-3, 4), 0.0)
    for outcome in itertools.product((-1, 0, 1), repeat=3):
        chances = [r / 2 if o else 1 - r for o, r in zip(outcome, rates, strict=True)]
        expected[sum(outcome)] += float(np.prod(chances))
    assert exact.net_loss_distribution(rates).tolist() == pytest.approx(list(expected.values()))


def test_at_least_sums_up_from_above() -> None:
    """The probability of any net loss at all is one."""
    table = exact.upper_tail(exact.net_loss_distribution([0.2] * 10))
    assert table[0] == pytest.approx(1)
    assert table.tolist() == sorted(table.tolist(), reverse=True)
