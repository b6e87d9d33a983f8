"""Exact tests of counts, for success and failure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

from self_improve.verdict.statistics.flips import Floats


def mcnemar(lost: int, gained: int) -> float | None:
    """Return the two-sided exact p-value of McNemar's test; None if nothing changed.

    Q. McNemar, Note on the sampling error of the difference between correlated proportions, 1947;
    exact by the binomial distribution of the changed pairs.
    """
    changed = lost + gained
    return float(stats.binomtest(lost, changed, 0.5).pvalue) if changed else None


def mcnemar_lost(lost: int, gained: int) -> float | None:
    """Return the one-sided mid-p value that more was lost than gained; None if nothing changed."""
    changed = lost + gained
    return float(mid_p_by_net_loss(changed)[2 * lost]) if changed else None


def mid_p_by_net_loss(changed: int) -> Floats:
    """Return the mid-p value of every net loss from -changed to changed that `changed` pairs allow.

    M. W. Fagerland, S. Lydersen and P. Laake, The McNemar test for binary matched-pairs data:
    mid-p and asymptotic are better than exact conditional, 2013. Impossible net losses (every
    second one) have the value of the one below.
    """
    lost = np.repeat(np.arange(changed + 1), 2)[: 2 * changed + 1]
    above, at = stats.binom.sf(lost, changed, 0.5), stats.binom.pmf(lost, changed, 0.5)
    return np.asarray(above + at / 2, dtype=np.float64)


def least_lost(gained: int, *, error: float) -> int:
    """Return how many lost pairs, beside those gained, McNemar's test finds beyond chance."""
    lost = gained + 1
    while mid_p_by_net_loss(lost + gained)[2 * lost] > error:
        lost += 1
    return lost


def share_of_draws(at_most: int, *, of: int, seen: int, planned: int) -> float:
    """Return in what share of random orders the cells seen hold no more than some of the marked.

    Args:
        at_most: how many of the marked were seen.
        of: how many are marked.
        seen: how many cells were seen.
        planned: how many cells there are.
    """
    return float(stats.hypergeom.cdf(at_most, planned, of, seen))


def net_loss_distribution(rates: Sequence[float]) -> Floats:
    """Return the distribution of losses less gains of pairs that flip by chance alone.

    Each pair flips with its own rate, equally to either side: the sum of independent trials with
    unequal rates (S. D. Poisson, Recherches sur la probabilité des jugements, 1837).

    Args:
        rates: the probability of a flip, pair by pair.

    Returns:
        The probabilities of a net loss of -n to n, for n pairs.
    """
    distribution = np.ones(1)
    for rate in rates:
        distribution = np.convolve(distribution, [rate / 2, 1 - rate, rate / 2])
    return distribution


def upper_tail(distribution: Floats) -> Floats:
    """Return the probability of each net loss of -n to n, or a greater one."""
    tail: Floats = np.cumsum(distribution[::-1])[::-1]
    return tail
