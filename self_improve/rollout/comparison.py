"""Compares two versions by the plans that got them: the evaluator's tests, for groups."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy import stats

from self_improve.rollout.state import Mark
from self_improve.verdict import Word
from self_improve.verdict.statistics.flips import COUNT, Floats, rounded
from self_improve.verdict.statistics.intervals import LEVEL, Interval, mean
from self_improve.verdict.statistics.spending import RepeatedTest
from self_improve.verdict.terms import ERROR, SPENDING

_BLOCK = 256


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The values of one stage, one a plan, of the plans with each version."""

    new: tuple[float, ...]
    old: tuple[float, ...]

    @property
    def is_empty(self) -> bool:
        """Whether one of the two has no plans."""
        return not self.new or not self.old


@dataclass(frozen=True, kw_only=True)
class RolloutLook:
    """The statistics of a rollout at one look.

    `effect` is the mean of the new version less that of the old one, `gain` its share of the old
    mean, `interval` that of the effect over plans; `better` and `worse` are p-values that account
    for the earlier looks. What could not be measured is None.
    """

    word: Word
    new: int
    old: int
    old_mean: float | None
    effect: float | None
    gain: float | None
    interval: Interval | None
    better: float
    worse: float

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "word": str(self.word)}


def groups(marks: Sequence[Mark], new: str, stages: int) -> list[Groups]:
    """Return the groups of the first `stages` stages of a rollout.

    A plan counts once: in the stage and with the version of its first mark. Of a voter the last
    mark of that stage counts, of several voters their mean.
    """
    firsts: dict[str, tuple[int, str]] = {}
    values: dict[str, dict[str, float]] = {}
    for mark in marks:
        if firsts.setdefault(mark.plan, (mark.stage, mark.version)) == (mark.stage, mark.version):
            values.setdefault(mark.plan, {})[mark.voter] = mark.value
    sides: list[tuple[list[float], list[float]]] = [([], []) for _ in range(stages)]
    for plan, (stage, version) in firsts.items():
        if stage < stages:
            sides[stage][version != new].append(_mean(list(values[plan].values())))
    return [Groups(new=tuple(one), old=tuple(other)) for one, other in sides]


def look(stages: Sequence[Groups], *, looks: int, least: float, seed: int) -> RolloutLook:
    """Decide on a rollout by its stages so far; each stage ends with a look.

    If the version made no difference, every choice of as many plans of a stage was as likely to
    get it as the actual one; so the rank of the effect among such choices is a test of exact size
    (R. A. Fisher, The Design of Experiments, 1935, chapter 3; in strata, W. G. Cochran, Some
    methods for strengthening the common chi-squared tests, 1954). 10,000 choices are drawn, the
    actual one included, and the error is spread over the looks as in the evaluator.

    Args:
        stages: the groups of every stage so far.
        looks: how many looks there are at most.
        least: the smallest gain worth a promotion, as a share of the old mean.
        seed: of the choices.
    """
    good, harm = RepeatedTest(COUNT), RepeatedTest(COUNT)
    total = np.zeros(COUNT)
    better = worse = 1.0
    is_good = is_harm = False
    for number, one in enumerate(stages, start=1):
        total += sums(one, seed=seed + number)
        size = sum(map(math.fsum, (one.new + one.old for one in stages)))
        limit = ERROR * min(1.0, number / looks) ** SPENDING
        statistic = rounded(total, size)
        up, down = good.test(statistic, limit=limit), harm.test(-statistic, limit=limit)
        if not is_good:
            better, is_good = up.p, up.fires
        if not is_harm:
            worse, is_harm = down.p, down.fires
    effect, old_mean = _effect(stages)
    word = Word.inconclusive
    if is_harm:
        word = Word.reject
    elif is_good and effect is not None and old_mean is not None and effect >= least * old_mean:
        word = Word.keep
    return RolloutLook(
        word=word, new=sum(len(one.new) for one in stages),
        old=sum(len(one.old) for one in stages), old_mean=old_mean, effect=effect,
        gain=effect / old_mean if effect is not None and old_mean else None,
        interval=_interval(stages, effect), better=better, worse=worse,
    )  # fmt: skip


def lower_by_chance(these: Sequence[float], others: Sequence[float], *, seed: int) -> float | None:
    """Return the probability that values are this far below others by chance; None without any."""
    if not these or not others:
        return None
    statistic = sums(Groups(new=tuple(these), old=tuple(others)), seed=seed)
    statistic = rounded(statistic, math.fsum([*these, *others]))
    return float(np.count_nonzero(statistic <= statistic[0]) / COUNT)


def sums(one: Groups, *, seed: int) -> Floats:
    """Return the new version's sum of values, less the mean of all, under every choice of plans.

    The first is the actual one, the others are drawn; the shape is (10,000,). Without plans on one
    side all are 0.
    """
    result = np.zeros(COUNT)
    if one.is_empty:
        return result
    values = np.array(one.new + one.old) - mean(one.new + one.old)
    chosen = len(one.new)
    # The raw bits of a generator stay the same from one version of numpy to the next.
    source = np.random.PCG64(seed)
    for start in range(0, COUNT, _BLOCK):
        width = min(_BLOCK, COUNT - start)
        keys = source.random_raw(len(values) * width).reshape(width, len(values))
        indices = np.argpartition(keys, chosen - 1, axis=1)[:, :chosen]
        result[start : start + width] = values[indices].sum(axis=1)
    result[0] = values[:chosen].sum()
    return result


def _effect(stages: Sequence[Groups]) -> tuple[float | None, float | None]:
    """Return the effect and the old version's mean, over stages weighted by their precision."""
    both = [one for one in stages if not one.is_empty]
    if not both:
        return None, None
    weights = [_weight(one) for one in both]
    olds = [_mean(one.old) for one in both]
    effects = [_mean(one.new) - old for one, old in zip(both, olds, strict=True)]
    return _weighted(effects, weights), _weighted(olds, weights)


def _interval(stages: Sequence[Groups], effect: float | None) -> Interval | None:
    """Return the t interval of the effect, with conservative degrees of freedom.

    P. L. Hsu, Contribution to the theory of Student's t-test as applied to the problem of two
    samples, 1938. None while a stage has only one plan on a side.
    """
    both = [one for one in stages if not one.is_empty]
    degrees = sum(min(len(one.new), len(one.old)) - 1 for one in both)
    if effect is None or any(min(len(one.new), len(one.old)) < 2 for one in both):
        return None
    weights = [_weight(one) for one in both]
    total = math.fsum(weights)
    variance = math.fsum(
        (weight / total) ** 2 * (_error(one.new) + _error(one.old))
        for weight, one in zip(weights, both, strict=True)
    )
    half = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * math.sqrt(variance)
    return Interval(low=effect - half, high=effect + half)


def _weight(one: Groups) -> float:
    return len(one.new) * len(one.old) / (len(one.new) + len(one.old))


def _error(values: Sequence[float]) -> float:
    return float(np.var(values, ddof=1)) / len(values)


def _weighted(values: Sequence[float], weights: Sequence[float]) -> float:
    return math.fsum(v * w for v, w in zip(values, weights, strict=True)) / math.fsum(weights)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
