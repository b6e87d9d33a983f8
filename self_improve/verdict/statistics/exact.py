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
    if not changed:
        return None
    return float(stats.binomtest(lost, changed, 0.5).pvalue)


def mcnemar_lost(lost: int, gained: int) -> float | None:
    """Return the one-sided mid-p value that more was lost than gained; None if nothing changed."""
    changed = lost + gained
    return float(lost_by_chance(changed)[2 * lost]) if changed else None


def lost_by_chance(changed: int) -> Floats:
    """Return the mid-p value of every net loss from -changed to changed that `changed` pairs allow.

    M. W. Fagerland, S. Lydersen and P. Laake, The McNemar test for binary matched-pairs data:
    mid-p and asymptotic are better than exact conditional, 2013. Net losses that cannot be (every
    second one) have the value of the one below.
    """
    lost = np.repeat(np.arange(changed + 1), 2)[: 2 * changed + 1]
    above, at = stats.binom.sf(lost, changed, 0.5), stats.binom.pmf(lost, changed, 0.5)
    found: Floats = np.asarray(above + at / 2, dtype=np.float64)
    return found


def net_loss(rates: Sequence[float]) -> Floats:
    """Return the distribution of losses less gains of pairs that flip by chance alone.

    Each pair flips with its own rate, to either side alike: the sum of independent trials with
    unequal rates (S. D. Poisson, Recherches sur la probabilité des jugements, 1837).

    Args:
        rates: the probability of a flip, pair by pair.

    Returns:
        The probabilities of a net loss of -n to n, for n pairs.
    """
    found = np.ones(1)
    for rate in rates:
        found = np.convolve(found, [rate / 2, 1 - rate, rate / 2])
    return found


def at_least(distribution: Floats) -> Floats:
    """Return the probability of each net loss of -n to n, or a greater one (see `net_loss`)."""
    found: Floats = np.cumsum(distribution[::-1])[::-1]
    return found


def wilson(hits: int, trials: int, *, level: float = 0.95) -> tuple[float, float] | None:
    """Return the interval of a rate; None without trials.

    E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    """
    if not trials:
        return None
    interval = stats.binomtest(hits, trials).proportion_ci(level, method="wilson")
    return float(interval.low), float(interval.high)
