"""How many pairs show an effect of a given size, and whether the remaining ones may decide."""

from __future__ import annotations

import math

from scipy import stats

POWER = 0.80


def pairs_needed(
    effect: float, deviation: float, *, alpha: float, power: float = POWER
) -> int | None:
    """Return the number of pairs that show an effect of this size; None for an effect of zero.

    A one-sided test of level `alpha` on the mean of paired differences (G. W. Snedecor and
    W. G. Cochran, Statistical Methods, 1967, section 4.13).

    Args:
        effect: the mean difference.
        deviation: the standard deviation of the differences, widened by what batches add.
        alpha: the level.
        power: the probability that the test shows it.
    """
    if not effect:
        return None
    z = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power))
    return max(1, math.ceil((z * deviation / abs(effect)) ** 2))


def conditional_power(
    effect: float, deviation: float, *, seen: int, planned: int, goal: float, mean: float
) -> float:
    """Return the probability that the mean of all planned pairs reaches `goal`.

    This is given the `mean` of the `seen` pairs, and a mean `effect` of the others (J. M. Lachin,
    A review of methods for futility stopping based on conditional power, 2005).
    """
    left = planned - seen
    if left <= 0:
        return float(mean >= goal)
    needed = (goal * planned - mean * seen) / left
    if not deviation:
        return float(effect >= needed)
    return float(stats.norm.sf((needed - effect) / (deviation / math.sqrt(left))))


def chance_by_trend(p: float, *, share: float, alpha: float) -> float:
    """Return the probability that a test is significant in the end if its trend continues.

    K. K. G. Lan and J. Wittes, The B-value: a tool for monitoring data, 1988.

    Args:
        p: its one-sided p-value so far.
        share: the share of the data that was seen.
        alpha: its level in the end.
    """
    if p >= 1 or share >= 1:
        return float(p <= alpha)
    value = float(stats.norm.isf(p)) * math.sqrt(share)
    needed = float(stats.norm.isf(alpha)) - value / share
    return float(stats.norm.sf(needed / math.sqrt(1 - share)))


def visible(pairs: int, deviation: float, *, alpha: float, power: float = POWER) -> float:
    """Return the mean difference that `pairs` pairs show (the inverse of `pairs_needed`)."""
    z = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power))
    return z * deviation / math.sqrt(pairs)
