"""What moved between two sides, pair by pair: each metric, and the composite that weighs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rubrics.rubric import MetricUse, Rubric
from self_improve.measures.catalogue import catalogue
from self_improve.measures.metric import PairMetric
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.noise import Noise
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.statistics import intervals
from self_improve.verdict.statistics.false_discoveries import benjamini_hochberg
from self_improve.verdict.statistics.flips import Flips, Floats, two_sided
from self_improve.verdict.statistics.intervals import Interval

_DEFINED = 0.5
"""A metric that is defined for a smaller share of the pairs is left out of the composite."""


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

    `left_out` is the effect without each plan; `silent` are weighted metrics that are undefined for
    too many pairs to take part; `waived` those that a declared expectation takes out, because the
    change means to move them.
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


@dataclass(frozen=True, kw_only=True)
class Differences:
    """The gains of all pairs with content on both sides.

    `forward` and `backward` have the shape (pairs, metrics) and hold the gain in the metric's own
    unit, NaN where it is undefined; `backward` is the gain if both sides were exchanged.
    """

    pairs: tuple[Pair, ...]
    uses: tuple[MetricUse, ...]
    forward: Floats
    backward: Floats
    waived: tuple[str, ...] = ()

    @cached_property
    def _factors(self) -> Floats:
        """The factor of a gain in the composite: its weight in scales, spread over its pairs."""
        defined = (~np.isnan(self.forward)).sum(axis=0)
        count = max(len(self.pairs), 1)
        weights = np.array([use.weight / use.scale for use in self.uses])
        spread = np.where(defined >= _DEFINED * count, count / np.maximum(defined, 1), 0.0)
        waived = np.array([use.id in self.waived for use in self.uses], dtype=bool)
        factors: Floats = np.where(waived, 0.0, weights * spread)
        return factors

    @property
    def silent(self) -> tuple[str, ...]:
        """The weighted metrics that are undefined for too many pairs."""
        return tuple(
            use.id
            for use, factor in zip(self.uses, self._factors, strict=True)
            if use.weight and not factor and use.id not in self.waived
        )

    @cached_property
    def composites(self) -> Floats:
        """Each pair's part of the composite, of shape (pairs,): their mean is the composite."""
        parts: Floats = np.nan_to_num(self.forward) @ self._factors
        return parts

    @cached_property
    def exchanged(self) -> Floats:
        """The same if both sides were exchanged."""
        parts: Floats = np.nan_to_num(self.backward) @ self._factors
        return parts

    @property
    def halves(self) -> Floats:
        """The part of each composite that changes its sign when the sides are exchanged."""
        halves: Floats = (self.composites - self.exchanged) / 2
        return halves

    def sums(self, flips: Flips, groups: Floats) -> Floats:
        """Return the sums of the composites under every flip.

        Args:
            flips: of the pairs.
            groups: of shape (pairs, groups), 1 where a pair belongs to a group.

        Returns:
            Sums of shape (groups, flips).
        """
        rest = (self.composites + self.exchanged) / 2
        return flips.sums(groups * self.halves[:, None]) + (groups.T @ rest)[:, None]


def differences(
    pairing: Pairing, rubric: Rubric, expectations: Sequence[Expectation] = ()
) -> Differences:
    """Return the gains of a comparison.

    A metric that a declared expectation means to move against the rubric's direction is waived.
    """
    pairs = tuple(pair for pair in pairing.pairs if pair.succeeded)
    uses = tuple(rubric.metrics)
    directions = {use.id: use.direction for use in uses}
    waived = {
        e.metric for e in expectations if directions.get(e.metric, e.direction) != e.direction
    }
    shape = (len(pairs), len(uses))
    forward, backward = np.full(shape, np.nan), np.full(shape, np.nan)
    for column, use in enumerate(uses):
        sign, between = _sign(use), _between(use)
        for row, pair in enumerate(pairs):
            there, back = _changes(pair, use, between)
            forward[row, column], backward[row, column] = sign * there, sign * back
    return Differences(
        pairs=pairs, uses=uses, forward=forward, backward=backward, waived=tuple(sorted(waived))
    )


def _sign(use: MetricUse) -> float:
    return 1.0 if use.direction == "higher" else -1.0


def _between(use: MetricUse) -> Callable[[Pair], float | None] | None:
    """Return what compares the second cell of a pair with the first; None for other metrics."""
    metric = catalogue().get(use.metric)
    if not isinstance(metric, PairMetric):
        return None

    def change(pair: Pair) -> float | None:
        value = metric.between(pair.before, pair.after, use)
        unchanged = metric.between(pair.before, pair.before, use)
        return None if value is None or unchanged is None else value - unchanged

    return change


def _changes(
    pair: Pair, use: MetricUse, between: Callable[[Pair], float | None] | None
) -> tuple[float, float]:
    """Return how far a measure moved, and how far it would have with the sides exchanged."""
    old, new = pair.before.values.get(use.id), pair.after.values.get(use.id)
    if old is not None and new is not None:
        return new - old, old - new
    if between is None or old is not None or new is not None:
        return np.nan, np.nan
    # Without the baseline plan, lengths are compared with the side before.
    there, back = between(pair), between(pair.swapped)
    return (np.nan, np.nan) if there is None or back is None else (there, back)


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
    sign = _sign(use)
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


def composite(gains: Differences, flips: Flips, drift: float) -> Composite:
    """Return the composite with its intervals and parts.

    Args:
        gains: of the pairs with content.
        flips: of these pairs.
        drift: how much more than by chance alone it moves between the batches of both sides.
    """
    values = gains.composites.tolist()
    plans = [pair.plan for pair in gains.pairs]
    models = [pair.model for pair in gains.pairs]
    return Composite(
        pairs=len(values),
        effect=intervals.mean(values),
        deviation=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        interval=intervals.interval(values, widened=drift),
        plan_interval=intervals.clustered(values, plans),
        p=two_sided(flips.sums(gains.halves[:, None])[0], widened=drift) if values else None,
        drift=drift,
        left_out={str(k): v for k, v in intervals.left_out(values, plans).items()},
        models=_parts(values, models, drift),
        plans=_parts(values, plans, drift),
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
