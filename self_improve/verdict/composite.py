"""The composite of a comparison: all measures as one number, over all pairs and its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from self_improve.verdict.differences import Differences
from self_improve.verdict.statistics import intervals
from self_improve.verdict.statistics.flips import Flips, two_sided
from self_improve.verdict.statistics.intervals import Interval


@dataclass(frozen=True, kw_only=True)
class Part:
    """The composite of one model or one plan."""

    name: str
    pairs: int
    effect: float
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class Composite:
    """The composite over all pairs: the sum over metrics of weight times gain, better if positive.

    `deviation` is that of a pair as it counts: what `pairs` pairs of equal weight would need for
    the same interval. `left_out` is the effect without each plan; `silent` are weighted metrics
    that are undefined for too many pairs to take part; `waived` those that a declared expectation
    takes out, because the change means to move them.
    """

    pairs: int
    effect: float | None
    deviation: float | None
    interval: Interval | None
    plan_interval: Interval | None
    p: float | None
    drift: float
    left_out: Mapping[str, float]
    models: tuple[Part, ...]
    plans: tuple[Part, ...]
    silent: tuple[str, ...] = ()
    waived: tuple[str, ...] = ()


def composite(gains: Differences, flips: Flips, drift: float) -> Composite:
    """Return the composite with its intervals and parts.

    Args:
        gains: of the pairs with content.
        flips: of these pairs.
        drift: how much more than by chance alone it moves between the batches of both sides.
    """
    values, weights = gains.counted.tolist(), gains.weights.tolist()
    plans, models = gains.plans, gains.models
    sums = flips.sums((gains.limited * gains.weights)[:, None])
    error = intervals.standard_error(values, weights)
    return Composite(
        pairs=len(values),
        effect=intervals.mean(values, weights),
        deviation=None if error is None else error * len(values) ** 0.5,
        interval=intervals.interval(values, weights, widened=drift),
        plan_interval=intervals.clustered(values, plans),
        p=two_sided(sums[0], widened=drift) if values else None,
        drift=drift,
        left_out={str(k): v for k, v in intervals.left_out(values, plans, weights).items()},
        models=_parts(gains.composites.tolist(), models, drift),
        plans=_parts(gains.composites.tolist(), plans, drift),
        silent=gains.silent,
        waived=gains.waived,
    )


def _parts(values: Sequence[float], names: Sequence[str], drift: float) -> tuple[Part, ...]:
    by_name: dict[str, list[float]] = {}
    for value, name in zip(values, names, strict=True):
        by_name.setdefault(name, []).append(value)
    return tuple(
        Part(
            name=name, pairs=len(members), effect=float(np.mean(members)),
            interval=intervals.interval(members, widened=drift),
        )
        for name, members in sorted(by_name.items())
    )  # fmt: skip
