"""What moved between two sides, pair by pair, and what each pair adds to the composite."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rubrics.rubric import MetricUse, Rubric
from self_improve.measures.catalogue import catalogue
from self_improve.measures.metric import PairMetric
from self_improve.verdict import noise as calibration
from self_improve.verdict import weights
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.noise import Noise
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.statistics.flips import Floats

_DEFINED = 0.5
"""A metric that is defined for a smaller share of the pairs is left out of the composite."""
_LEAST_OF_MODEL = 3


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
    noise: Noise
    waived: tuple[str, ...] = ()

    @property
    def models(self) -> list[str]:
        """The model of each pair."""
        return [pair.model for pair in self.pairs]

    @property
    def plans(self) -> list[str]:
        """The plan of each pair."""
        return [pair.plan for pair in self.pairs]

    @cached_property
    def factors(self) -> Floats:
        """The factor of a gain in the composite: its weight in scales, spread over its pairs."""
        defined = (~np.isnan(self.forward)).sum(axis=0)
        count = max(len(self.pairs), 1)
        scales = np.array([use.scale for use in self.uses])
        spread = np.where(defined >= _DEFINED * count, count / np.maximum(defined, 1), 0.0)
        waived = np.array([use.id in self.waived for use in self.uses], dtype=bool)
        factors: Floats = np.where(
            waived, 0.0, weights.of_measures(self.uses, self.noise) / scales * spread
        )
        return factors

    @property
    def silent(self) -> tuple[str, ...]:
        """The weighted metrics that are undefined for too many pairs."""
        return tuple(
            use.id
            for use, factor in zip(self.uses, self.factors, strict=True)
            if use.weight and not factor and use.id not in self.waived
        )

    @property
    def vanished(self) -> tuple[str, ...]:
        """The weighted metrics that can no longer be measured after.

        In most of the pairs, or in every one of a model that has at least three.
        """
        weighted = [use for use in self.uses if use.weight and use.id not in self.waived]
        return tuple(use.id for use in weighted if self._has_vanished(use))

    @property
    def held_against_before(self) -> tuple[str, ...]:
        """The weighted metrics that lack a baseline plan in most of the pairs."""
        return tuple(
            use.id
            for use, factor in zip(self.uses, self.factors, strict=True)
            if factor and isinstance(catalogue().get(use.metric), PairMetric)
            and 2 * sum(_lacks(pair, use) for pair in self.pairs) > len(self.pairs)
        )  # fmt: skip

    def _has_vanished(self, use: MetricUse) -> bool:
        gone: defaultdict[str, list[int]] = defaultdict(list)
        for pair in self.pairs:
            there = [use.id in cell.values for cell in (pair.before, pair.after)]
            gone[pair.model].append(there[0] - there[1])
        return 2 * sum(map(sum, gone.values())) > len(self.pairs) or any(
            len(pairs) >= _LEAST_OF_MODEL and sum(pairs) == len(pairs) for pairs in gone.values()
        )

    @cached_property
    def composites(self) -> Floats:
        """Each pair's part of the composite, of shape (pairs,): their mean is the composite."""
        parts: Floats = np.nan_to_num(self.forward) @ self.factors
        return parts

    @property
    def parts(self) -> dict[str, float]:
        """The part of each measure in the composite over all pairs."""
        sums = np.nan_to_num(self.forward).sum(axis=0) * self.factors / max(len(self.pairs), 1)
        return {use.id: float(part) for use, part in zip(self.uses, sums, strict=True)}

    @cached_property
    def exchanged(self) -> Floats:
        """The same if both sides were exchanged."""
        parts: Floats = np.nan_to_num(self.backward) @ self.factors
        return parts

    @cached_property
    def halves(self) -> Floats:
        """The part of each composite that changes its sign when the sides are exchanged."""
        halves: Floats = (self.composites - self.exchanged) / 2
        return halves

    @cached_property
    def limited(self) -> Floats:
        """The same, each up to the limit of a single cell."""
        limit = weights.limits(self.halves, self.models, self.noise)
        return np.clip(self.halves, -limit, limit)

    @property
    def counted(self) -> Floats:
        """What each pair counts in the composite: its part, up to the limit of a single cell."""
        counted: Floats = self.composites - self.halves + self.limited
        return counted

    @cached_property
    def weights(self) -> Floats:
        """The weight of each pair; their mean is 1."""
        return weights.of_models(self.models, self.noise)


def differences(
    pairing: Pairing,
    rubric: Rubric,
    expectations: Sequence[Expectation] = (),
    noise: Noise | None = None,
) -> Differences:
    """Return the gains of a comparison; without `noise`, nothing is known of it.

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
        sign, between = sign_of(use), _between(use)
        for row, pair in enumerate(pairs):
            there, back = _changes(pair, use, between)
            forward[row, column], backward[row, column] = sign * there, sign * back
    return Differences(
        pairs=pairs, uses=uses, forward=forward, backward=backward,
        noise=calibration.assumed(rubric) if noise is None else noise,
        waived=tuple(sorted(waived)),
    )  # fmt: skip


def sign_of(use: MetricUse) -> float:
    """Return 1 if more of a measure is better, -1 otherwise."""
    return 1.0 if use.direction == "higher" else -1.0


def _lacks(pair: Pair, use: MetricUse) -> bool:
    """Whether a measure that needs a baseline plan was not taken on either side."""
    return all(use.id not in cell.values for cell in (pair.before, pair.after))


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
    # Without the baseline plan, texts are compared with those of the side before. What cannot be
    # compared in one direction, such as with texts of which none ends, did not move in it.
    there, back = between(pair), between(pair.swapped)
    return (np.nan, np.nan) if there is None and back is None else (there or 0.0, back or 0.0)
