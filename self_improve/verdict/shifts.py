"""What the composite and its parts would be under every relabelling of the pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from self_improve.verdict.differences import Differences
from self_improve.verdict.prospect import WORTH
from self_improve.verdict.statistics.flips import Bools, Flips, Floats

WITHOUT_ONE = 1 / 3
"""The share of an effect that must remain without any one plan: all of five would keep all of it,
one of them alone nothing."""


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The mean gain of each model, or of each plan, of shape (parts, flips)."""

    names: tuple[str, ...]
    means: Floats

    @property
    def worst(self) -> str:
        """The part that fell most as observed."""
        return self.names[int(self.means[:, 0].argmin())]

    @property
    def drops(self) -> Floats:
        """How far the worst part fell, under every flip."""
        drops: Floats = -self.means.min(axis=0)
        return drops


@dataclass(frozen=True, kw_only=True)
class Shifts:
    """The composite under every flip, the observed one first.

    `mean` is the effect, `without` that without each plan in turn. `falls` is the sum of the
    squares of what fell, in standard errors: over all pairs, and over each model and each plan. It
    is large if everything fell a little, and also if one half fell while the other rose (the
    analysis of variance of R. A. Fisher, Statistical Methods for Research Workers, 1925, one-sided
    and with its permutation distribution).
    """

    mean: Floats
    without: Floats
    falls: Floats
    models: Parts
    plans: Parts

    def are_worth(self, sign: int, minimal: float) -> Bools:
        """Return the flips in which the effect is worth having, and not that of one plan only."""
        mean = sign * self.mean
        worth: Bools = mean >= WORTH * minimal
        if len(self.without):
            worth &= (sign * self.without).min(axis=0) >= WITHOUT_ONE * mean
        return worth

    def have_lost(self, allowed: Mapping[str, float | None]) -> Bools:
        """Return the flips in which a model or a plan fell by more than it may."""
        lost = np.zeros(len(self.mean), dtype=np.bool_)
        for kind, parts in (("model", self.models), ("plan", self.plans)):
            limit = allowed[kind]
            if limit is not None:
                lost |= parts.drops > limit
        return lost


def shifts(gains: Differences, flips: Flips) -> Shifts | None:
    """Return the composite under every flip; None without a pair."""
    if not gains.pairs:
        return None
    models, in_model = _groups(gains.models)
    plans, in_plan = _groups(gains.plans)
    groups = np.hstack([np.ones((len(gains.pairs), 1)), in_model, in_plan])
    sizes, weights = groups.sum(axis=0), gains.weights
    # Sides that are both worse than the other, as measured by it, add the same under every flip.
    rest = gains.composites - gains.halves
    limited = flips.sums(groups * (gains.limited * weights)[:, None])
    limited += (groups.T @ (rest * weights))[:, None]
    weight = groups.T @ weights
    scores = flips.sums(groups * (gains.limited * np.sqrt(weights))[:, None])
    scores /= np.sqrt(sizes)[:, None]
    raw = flips.sums(groups[:, 1:] * gains.halves[:, None]) + (groups[:, 1:].T @ rest)[:, None]
    raw /= sizes[1:, None]
    first_plan = 1 + len(models)
    left = (weight[0] - weight[first_plan:])[:, None]
    without = (limited[0] - limited[first_plan:]) / left if len(plans) > 1 else limited[:0]
    return Shifts(
        mean=limited[0] / weight[0],
        without=without,
        falls=(np.minimum(scores, 0.0) ** 2).sum(axis=0),
        models=Parts(names=models, means=raw[: len(models)]),
        plans=Parts(names=plans, means=raw[len(models) :]),
    )


def _groups(names: Sequence[str]) -> tuple[tuple[str, ...], Floats]:
    distinct = tuple(sorted(set(names)))
    return distinct, np.array([[name == one for one in distinct] for name in names], np.float64)
