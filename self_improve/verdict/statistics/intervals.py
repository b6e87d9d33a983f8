"""Means of paired differences with their intervals, over cells and over plans."""

from __future__ import annotations

import math
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


def mean(values: Sequence[float]) -> float | None:
    """Return the mean; None without values."""
    return math.fsum(values) / len(values) if len(values) else None


def standard_error(values: Sequence[float]) -> float | None:
    """Return the standard error of the mean; None for fewer than two values."""
    if len(values) < 2:
        return None
    middle = math.fsum(values) / len(values)
    squares = math.fsum((value - middle) ** 2 for value in values)
    return math.sqrt(squares / (len(values) - 1) / len(values))


def interval(
    values: Sequence[float], *, widened: float = 1.0, level: float = LEVEL
) -> Interval | None:
    """Return the t interval of the mean of `values`; None for fewer than two.

    Student, The probable error of a mean, 1908. `widened` multiplies the standard error: how much
    more than by chance alone the mean moves between batches.
    """
    error = standard_error(values)
    if error is None:
        return None
    middle = math.fsum(values) / len(values)
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


def left_out(values: Sequence[float], clusters: Sequence[Hashable]) -> Mapping[Hashable, float]:
    """Return the mean without each cluster in turn; empty if there is only one.

    M. H. Quenouille, Notes on bias in estimation, 1956 (the jackknife, here over clusters).
    """
    array = np.asarray(values, dtype=np.float64)
    names = list(dict.fromkeys(clusters))
    if len(names) < 2:
        return {}
    which = np.array([names.index(cluster) for cluster in clusters])
    return {name: float(array[which != n].mean()) for n, name in enumerate(names)}
