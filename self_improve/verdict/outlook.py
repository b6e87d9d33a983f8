"""What more cells would bring: how many would settle it, and whether to go on at all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from self_improve.verdict.composite import Composite
from self_improve.verdict.differences import Differences
from self_improve.verdict.noise import Noise
from self_improve.verdict.prospect import ASSUMED_MINIMA, LEAST_PAIRS, WORTH
from self_improve.verdict.statistics.sample_size import (
    POWER,
    chance_by_trend,
    conditional_power,
    visible,
)
from self_improve.verdict.terms import ERROR

_FUTILE, _LEAST_CHANCE = 0.8, 0.35
"""A decision that is less probable than this part of the share of cells that have run is not worth
waiting for, nor is one below the second number that is more probable: 16 % after a fifth, when a
trend is mostly chance, 35 % from half on. It costs an effect that is worth a merge one decision in
seven."""
Again = Callable[[int], str]
"""Gives the commands that run both sides with a number of repeats."""
_REACH = 10
"""More repeats than this are not proposed."""
_DRAWS = 2000
_SEED = 1


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """How many further cells would settle it, and what to do, in words.

    `repeats` is how often each cell has to be run for that.
    """

    further_cells: int | None
    text: str
    repeats: int | None = None

    def sentence(self, again: Again | None = None) -> str:
        """Return the text, with the commands that `again` gives for the repeats."""
        if self.repeats is None:
            return self.text
        flag = f"run both sides with `--repeats {self.repeats}`"
        return f"{self.text}: {flag if again is None else again(self.repeats)}"


def visible_effect(composite: Composite, *, error: float, minimal: float) -> float | None:
    """Return the effect that the pairs show in four cases of five; None if they show none."""
    if composite.deviation is None or composite.pairs < LEAST_PAIRS:
        return None
    shown = visible(composite.pairs, composite.deviation * composite.drift, alpha=error)
    # What was seen must be worth having as well.
    error_of_mean = composite.deviation / math.sqrt(composite.pairs)
    worth = WORTH * minimal + float(stats.norm.ppf(POWER)) * error_of_mean
    return max(shown, worth)


def outlook(
    gains: Differences,
    composite: Composite,
    *,
    cells: int,
    once: int,
    minimal: float,
    noise: Noise,
    is_futile: bool,
) -> Outlook:
    """Return what would settle an open question in four cases of five.

    It is settled if the effect is shown, or if one worth a merge is excluded. The true effect is
    drawn by a bootstrap of the pairs (B. Efron, Bootstrap methods, 1979), so that an effect that
    is not known well takes more cells than its estimate alone would say.

    Args:
        gains: of the pairs with content.
        composite: what was seen.
        cells: the pairs of cells, failed ones included.
        once: the cells of one repeat.
        minimal: the smallest effect that is worth a merge.
        noise: how pairs scatter where too few were seen.
        is_futile: it was given up early.
    """
    reach = composite.interval
    if not cells:
        text = "a side has no cell of the other's: name runs that are not empty, on the same plans"
        return Outlook(further_cells=None, text=text)
    if not composite.pairs:
        return Outlook(further_cells=None, text="more cells of this kind would show nothing either")
    enough = composite.pairs >= LEAST_PAIRS
    if enough and reach is not None and -minimal < reach.low and reach.high < minimal:
        return Outlook(
            further_cells=0,
            text=f"an effect of {minimal:g}, worth a merge, is excluded: the interval is "
            f"{reach.low:+.2f} to {reach.high:+.2f}",
        )
    begun = "the remaining cells would hardly decide it; " if is_futile else ""
    done = max(1, math.ceil(cells / once)) if once else 1
    for repeats in range(done + 1, _REACH * done + 1):
        total = max(once * repeats, cells + 1)
        if _settles(gains, composite, total / cells, minimal=minimal, noise=noise):
            more = total - cells
            return Outlook(
                further_cells=more,
                text=f"{begun}{more} more cell{'' if more == 1 else 's'} a side, {total} in all, "
                "would settle it in four cases of five",
                repeats=repeats,
            )
    return Outlook(
        further_cells=None,
        text=f"{begun}no number of cells within reach settles it: not even `--repeats "
        f"{_REACH * done}` on both sides would in four cases of five",
    )


def _settles(
    gains: Differences, composite: Composite, times: float, *, minimal: float, noise: Noise
) -> bool:
    """Whether `times` as many pairs would settle it in four cases of five."""
    chance = np.random.default_rng(_SEED)
    values, weights = gains.counted, gains.weights
    count = len(values)
    deviation = composite.deviation
    if deviation is None or not deviation or count < LEAST_PAIRS:
        deviation = noise.composite_deviation or ASSUMED_MINIMA * minimal
        seen = float(np.average(values, weights=weights))
        effects = seen + chance.normal(size=_DRAWS) * deviation / math.sqrt(count)
    else:
        drawn = chance.integers(0, count, size=(_DRAWS, count))
        effects = (values * weights)[drawn].sum(axis=1) / weights[drawn].sum(axis=1)
        seen = float(composite.effect or 0.0)
    total = times * count
    if total < LEAST_PAIRS:
        return False
    added = total - count
    new = effects + chance.normal(size=_DRAWS) * deviation / math.sqrt(added)
    means = (seen * count + new * added) / total
    half = 1.96 * deviation * composite.drift / math.sqrt(total)
    is_shown = np.abs(means) >= np.maximum(half, WORTH * minimal)
    is_excluded = np.abs(means) + half < minimal
    return float((is_shown | is_excluded).mean()) >= POWER


def is_futile(composite: Composite, *, share: float, minimal: float, harm_p: float = 1.0) -> bool:
    """Whether the remaining cells would hardly decide if the trend continues.

    Giving up early never makes a wrong KEEP or REJECT more probable.

    Args:
        composite: what was seen so far.
        share: the share of all cells that was seen.
        minimal: the smallest effect that is worth a merge.
        harm_p: how probable falls as far as those that were seen are by chance; they may be of
            some models or plans only, which the composite does not show.
    """
    if share >= 1 or composite.effect is None or composite.deviation is None:
        return False
    planned = round(composite.pairs / share)
    beyond_chance = 2.0 * composite.deviation * composite.drift / math.sqrt(planned)
    chances = [
        conditional_power(
            sign * composite.effect, composite.deviation, seen=composite.pairs, planned=planned,
            goal=max(WORTH * minimal, beyond_chance), mean=sign * composite.effect,
        )
        for sign in (1, -1)
    ]  # fmt: skip
    chance = max(sum(chances), chance_by_trend(harm_p, share=share, alpha=ERROR))
    return chance < min(_FUTILE * share, _LEAST_CHANCE)
