"""Groups of plans, compared as the evaluator compares pairs."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from scipy import stats

from self_improve.rollout.comparison import Groups, groups, look, lower_by_chance, sums
from self_improve.rollout.state import Mark
from self_improve.verdict import Word
from self_improve.verdict.terms import ERROR

AT = datetime(2026, 3, 1, tzinfo=UTC)


def mark(plan: str, version: str, value: float, stage: int = 0, voter: str = "") -> Mark:
    """Return a mark of a rollout."""
    return Mark(
        plan=plan, version=version, by="scores", value=value, voter=voter, at=AT, rollout=1,
        stage=stage,
    )  # fmt: skip


def spread(middle: float, count: int) -> tuple[float, ...]:
    """Return values around a middle."""
    return tuple(middle + (n % 5 - 2) * 0.02 for n in range(count))


def test_plan_counts_once() -> None:
    """It stays where it was first marked; of a voter the last word counts, of several the mean."""
    marks = [
        mark("a", "new", 0.2), mark("a", "new", 0.4), mark("a", "new", 0.8, voter="v"),
        mark("b", "old", 0.5), mark("b", "new", 0.9, stage=1), mark("a", "new", 0.0, stage=1),
        mark("c", "new", 0.7, stage=1),
    ]  # fmt: skip
    one, two = groups(marks, "new", 2)
    assert one.new == pytest.approx((0.6,))
    assert one.old == (0.5,)
    assert (two.new, two.old) == ((0.7,), ())


def test_first_look_is_a_permutation_test() -> None:
    """On votes its p-value is that of Fisher's exact test, up to what drawing leaves open."""
    new, old = (1.0,) * 13 + (0.0,) * 3, (1.0,) * 7 + (0.0,) * 13
    outcome = look([Groups(new=new, old=old)], looks=1, least=0.05, seed=5)
    exact = stats.fisher_exact([[13, 3], [7, 13]], alternative="greater").pvalue
    assert outcome.better == pytest.approx(exact, abs=0.003)
    assert outcome.word is Word.keep
    assert outcome.gain == pytest.approx(13 / 16 / (7 / 20) - 1)


def test_choices_take_as_many_plans_and_the_first_is_real() -> None:
    """A choice's sum of centred values has the mean 0 over all choices."""
    result = sums(Groups(new=(1.0, 1.0, 0.0), old=(0.0, 0.0, 0.0)), seed=1)
    assert result[0] == pytest.approx(1.0)
    assert set(np.round(result, 6)) == {-1.0, 0.0, 1.0}
    assert abs(result.mean()) < 0.05


def test_small_gain_is_not_worth_a_promotion() -> None:
    """Beyond chance is not enough: below the least gain the word is INCONCLUSIVE."""
    stage = Groups(new=spread(0.82, 40), old=spread(0.80, 40))
    assert look([stage], looks=1, least=0.05, seed=1).word is Word.inconclusive
    assert look([stage], looks=1, least=0.01, seed=1).word is Word.keep


def test_harm_rejects_and_alike_is_open() -> None:
    """Worse beyond chance is REJECT, identical values are INCONCLUSIVE with p = 1."""
    worse = Groups(new=spread(0.6, 12), old=spread(0.8, 12))
    assert look([worse], looks=3, least=0.05, seed=1).word is Word.reject
    alike = look([Groups(new=(0.5,) * 12, old=(0.5,) * 12)], looks=3, least=0.05, seed=1)
    assert (alike.word, alike.better, alike.worse) == (Word.inconclusive, 1.0, 1.0)


def test_stages_are_not_mixed() -> None:
    """What drifts between stages meets both versions: it makes no effect out of nothing."""
    stages = [
        Groups(new=spread(0.2, 5), old=spread(0.2, 45)),
        Groups(new=spread(0.9, 45), old=spread(0.9, 5)),
    ]
    outcome = look(stages, looks=2, least=0.05, seed=1)
    assert outcome.effect == pytest.approx(0.0, abs=0.01)
    assert outcome.word is Word.inconclusive
    assert outcome.interval is not None
    assert outcome.interval.low < 0 < outcome.interval.high


def test_error_is_spread_over_the_looks() -> None:
    """Of three looks the first may spend less than a fifth of it."""
    stage = Groups(new=(1.0,) * 7 + (0.0,) * 2, old=(1.0,) * 2 + (0.0,) * 9)
    alone = look([stage], looks=1, least=0.05, seed=1)
    first_of_three = look([stage], looks=3, least=0.05, seed=1)
    assert alone.better == first_of_three.better
    assert ERROR / 5 < alone.better < ERROR
    assert (alone.word, first_of_three.word) == (Word.keep, Word.inconclusive)


def test_nothing_measured_is_none() -> None:
    """A side without plans has no effect, no gain and no interval."""
    outcome = look([Groups(new=(0.5,), old=())], looks=1, least=0.05, seed=1)
    assert (outcome.effect, outcome.gain, outcome.interval, outcome.old_mean) == (
        None,
        None,
        None,
        None,
    )
    assert outcome.word is Word.inconclusive
    assert lower_by_chance([], [1.0], seed=1) is None


def test_gain_over_nothing_has_no_share() -> None:
    """Where the old version never pleased, the gain is None, and the new one may still be kept."""
    outcome = look([Groups(new=(1.0,) * 10, old=(0.0,) * 10)], looks=1, least=0.05, seed=1)
    assert outcome.gain is None
    assert outcome.word is Word.keep
