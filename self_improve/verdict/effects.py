"""How far each measure moved between two sides, with its interval and its significance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.verdict.differences import Differences, sign_of
from self_improve.verdict.noise import Noise
from self_improve.verdict.statistics import intervals
from self_improve.verdict.statistics.false_discoveries import benjamini_hochberg
from self_improve.verdict.statistics.flips import Flips, two_sided
from self_improve.verdict.statistics.intervals import Interval


@dataclass(frozen=True, kw_only=True)
class Effect:
    """How far one measure moved; the numbers are in its own unit, `gain` in scales of the rubric.

    `gain` is positive for an improvement. `interval` is over cells, widened by what batches add;
    `plan_interval` over plans. `p` is that of the sign flips, two-sided, `q` the false discovery
    rate at which it is significant among all metrics. What is undefined is None.
    """

    id: str
    direction: str
    weight: float
    pairs: int
    before: float | None = None
    after: float | None = None
    change: float | None = None
    gain: float | None = None
    interval: Interval | None = None
    plan_interval: Interval | None = None
    p: float | None = None
    q: float | None = None
    drift: float = 1.0


def effects(
    gains: Differences, flips: Flips, noise: Noise, *, together: bool
) -> tuple[Effect, ...]:
    """Return the effect of every metric.

    Args:
        gains: of the pairs with content.
        flips: of these pairs.
        noise: what batches add.
        together: both sides were run in one stretch of time, so that batches add nothing.
    """
    sums = flips.sums(np.nan_to_num((gains.forward - gains.backward) / 2))
    measured = []
    for column, use in enumerate(gains.uses):
        drift = 1.0 if together else noise.drift(use.id)
        p = two_sided(sums[column], widened=drift)
        measured.append(_effect(use, gains, column, drift, p))
    rates = benjamini_hochberg({effect.id: effect.p for effect in measured})
    return tuple(replace(effect, q=rates[effect.id]) for effect in measured)


def _effect(use: MetricUse, gains: Differences, column: int, drift: float, p: float) -> Effect:
    values = gains.forward[:, column]
    defined = np.flatnonzero(~np.isnan(values))
    effect = Effect(
        id=use.id, direction=use.direction, weight=use.weight, pairs=len(defined), drift=drift
    )
    if not len(defined):
        return effect
    pairs = [gains.pairs[n] for n in defined]
    sign = sign_of(use)
    changes = (values[defined] * sign).tolist()
    old = [pair.before.values.get(use.id) for pair in pairs]
    new = [pair.after.values.get(use.id) for pair in pairs]
    change = float(np.mean(changes))
    return replace(
        effect,
        before=intervals.mean([v for v in old if v is not None]),
        after=intervals.mean([v for v in new if v is not None]),
        change=change,
        gain=sign * change / use.scale,
        interval=intervals.interval(changes, widened=drift),
        plan_interval=intervals.clustered(changes, [pair.plan for pair in pairs]),
        p=p,
    )
