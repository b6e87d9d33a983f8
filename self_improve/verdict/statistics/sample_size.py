"""How many cells it takes to see an effect, and what the cells so far can be expected to show."""

from __future__ import annotations

import math

from scipy import stats

POWER = 0.80


def pairs_needed(
    effect: float, deviation: float, *, alpha: float, power: float = POWER
) -> int | None:
    """Return how many pairs show an effect of this size; None if there is no effect.

    A one-sided test of level `alpha` on the mean of paired differences (G. W. Snedecor and
    W. G. Cochran, Statistical Methods, 1967, section 4.13).

    Args:
        effect: the mean difference.
        deviation: the standard deviation of the differences, widened by what batches add.
        alpha: the level.
        power: the probability that it is seen.
    """
    if not effect:
        return None
    z = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power))
    return max(1, math.ceil((z * deviation / abs(effect)) ** 2))


def conditional_power(
    effect: float, deviation: float, *, seen: int, planned: int, goal: float, mean: float
) -> float:
    """Return the probability that the mean of all planned pairs reaches `goal`.

    Given `mean` of the `seen` pairs, and that the others have the mean `effect` (J. M. Lachin, A
    review of methods for futility stopping based on conditional power, 2005).
    """
    left = planned - seen
    if left <= 0:
        return float(mean >= goal)
    needed = (goal * planned - mean * seen) / left
    if not deviation:
        return float(effect >= needed)
    return float(stats.norm.sf((needed - effect) / (deviation / math.sqrt(left))))


def visible(pairs: int, deviation: float, *, alpha: float, power: float = POWER) -> float:
    """Return the mean difference that so many pairs show (the inverse of `pairs_needed`)."""
    z = float(stats.norm.ppf(1 - alpha) + stats.norm.ppf(power))
    return z * deviation / math.sqrt(pairs)
