"""Means of paired differences with their intervals, over cells and over plans."""

from __future__ import annotations

import math
import operator
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import stats

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A 95 % confidence interval."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of its width."""
        return (self.high - self.low) / 2


def mean(values: Sequence[float], weights: Sequence[float] | None = None) -> float | None:
    """Return the mean; None without values."""
    if not len(values):
        return None
    if weights is None:
        return math.fsum(values) / len(values)
    return math.fsum(map(operator.mul, weights, values)) / math.fsum(weights)


def standard_error(values: Sequence[float], weights: Sequence[float] | None = None) -> float | None:
    """Return the standard error of the mean; None for fewer than two values.

    For a weighted mean it is that of a ratio (W. G. Cochran, Sampling Techniques, 1977, chapter 6).
    """
    middle = mean(values, weights)
    if len(values) < 2 or middle is None:
        return None
    shares = [1.0] * len(values) if weights is None else weights
    squares = math.fsum((w * (x - middle)) ** 2 for w, x in zip(shares, values, strict=True))
    return math.sqrt(squares * len(values) / (len(values) - 1)) / math.fsum(shares)


def interval(
    values: Sequence[float],
    weights: Sequence[float] | None = None,
    *,
    widened: float = 1.0,
    level: float = LEVEL,
) -> Interval | None:
    """Return the t interval of the mean of `values`; None for fewer than two.

    Student, The probable error of a mean, 1908. `widened` multiplies the standard error: how much
    more than by chance alone the mean moves between batches.
    """
    error, middle = standard_error(values, weights), mean(values, weights)
    if error is None or middle is None:
        return None
    half = _quantile(level, len(values) - 1) * error * widened
    return Interval(low=middle - half, high=middle + half)


@cache
def _quantile(level: float, degrees: int) -> float:
    return float(stats.t.ppf((1 + level) / 2, degrees))


def clustered(
    values: Sequence[float], clusters: Sequence[Hashable], *, level: float = LEVEL
) -> Interval | None:
    """Return the t interval over the means of the clusters; None for fewer than two clusters.

    With few clusters of any inner dependence, a t test on the cluster means keeps its size
    (R. Ibragimov and U. K. Müller, t-statistic based correlation and heterogeneity robust
    inference, 2010).
    """
    return interval(list(means_by(values, clusters).values()), level=level)


def means_by(values: Sequence[float], clusters: Sequence[Hashable]) -> Mapping[Hashable, float]:
    """Return the mean of each cluster, in the order in which they appear."""
    members_of: dict[Hashable, list[float]] = {}
    for value, cluster in zip(values, clusters, strict=True):
        members_of.setdefault(cluster, []).append(value)
    return {name: math.fsum(members) / len(members) for name, members in members_of.items()}


def left_out(
    values: Sequence[float],
    clusters: Sequence[Hashable],
    weights: Sequence[float] | None = None,
) -> Mapping[Hashable, float]:
    """Return the mean without each cluster in turn; empty if there is only one.

    M. H. Quenouille, Notes on bias in estimation, 1956 (the jackknife, here over clusters).
    """
    array = np.asarray(values, dtype=np.float64)
    shares = np.ones(len(array)) if weights is None else np.asarray(weights, dtype=np.float64)
    names = list(dict.fromkeys(clusters))
    if len(names) < 2:
        return {}
    which = np.array([names.index(cluster) for cluster in clusters])
    return {
        name: float(np.average(array[which != n], weights=shares[which != n]))
        for n, name in enumerate(names)
    }
