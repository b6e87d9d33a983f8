"""What more cells would bring: how many would settle it, and whether to go on at all."""

from __future__ import annotations

import math

from self_improve.verdict.effects import Composite
from self_improve.verdict.noise import Noise
from self_improve.verdict.statistics import intervals
from self_improve.verdict.statistics.sample_size import conditional_power, pairs_needed

_FUTILE = 0.05
"""A decision that is less probable than this is not worth waiting for."""
_HALF = 0.5
"""Before this share of the cells nothing is given up."""
_LEAST = 6
"""Five pairs cannot decide on the composite whatever they show."""
_MOST = 10_000


def further_cells(
    composite: Composite, cells: int, *, minimal: float, noise: Noise, error: float
) -> int:
    """Return how many more cells per side would probably settle it, one way or another.

    Args:
        composite: what was seen.
        cells: the pairs of cells, failed ones included.
        minimal: the smallest effect that is worth a merge; a smaller one need not differ from 0.
        noise: what batches of this step add, and how pairs scatter where too few were seen.
        error: the error of the test.
    """
    deviation = composite.deviation
    if deviation is None:
        measured = noise.composite_deviation
        deviation = 2 * minimal if measured is None else measured
    effect = abs(composite.effect or 0.0)
    needed = pairs_needed(max(effect, minimal), deviation * composite.drift, alpha=error) or 1
    if effect >= minimal:
        needed = max(needed, _LEAST, _pairs_for_plans(composite))
    succeeding = composite.pairs / cells if cells else 1.0
    return max(0, math.ceil((min(needed, _MOST) - composite.pairs) / max(succeeding, 0.1)))


def _pairs_for_plans(composite: Composite) -> int:
    """Return the pairs of as many plans as show that the effect is not one of few plans."""
    means = [part.effect for part in composite.plans]
    error = intervals.standard_error(means)
    if not error or composite.effect is None:
        return 0
    plans = pairs_needed(composite.effect, error * math.sqrt(len(means)), alpha=0.025) or 1
    return plans * math.ceil(composite.pairs / len(means))


def is_futile(composite: Composite, *, share: float, minimal: float) -> bool:
    """Whether the remaining cells would hardly decide if the trend continues.

    Giving up early never makes a wrong KEEP or REJECT more probable.

    Args:
        composite: what was seen so far.
        share: the share of all cells that was seen.
        minimal: the smallest effect that is worth a merge.
    """
    if not _HALF <= share < 1 or composite.effect is None or composite.deviation is None:
        return False
    planned = round(composite.pairs / share)
    beyond_chance = 2.0 * composite.deviation * composite.drift / math.sqrt(planned)
    chances = [
        conditional_power(
            sign * composite.effect, composite.deviation, seen=composite.pairs, planned=planned,
            goal=max(minimal, beyond_chance), mean=sign * composite.effect,
        )
        for sign in (1, -1)
    ]  # fmt: skip
    return sum(chances) < _FUTILE
