"""What moved, metric by metric, and the composite."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rubrics.rubric import MetricUse
from self_improve.verdict.composite import composite
from self_improve.verdict.differences import differences
from self_improve.verdict.effects import effects
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.statistics.flips import flips
from tests.self_improve.measured_runs import METRIC, OTHER, better, cell, lost, noise, noisy, rubric
from tools.relabelling import mirrored


def of(pairing: Pairing) -> object:
    """Return the differences of a comparison."""
    return differences(pairing, rubric())


def test_the_composite_is_the_sum_of_weighted_gains_in_scales() -> None:
    """Over metrics, of the weight times the mean gain divided by the scale."""
    pairing = noisy(better(0.1))
    gains = differences(pairing, rubric())
    expected = sum(
        use.weight * np.nanmean(gains.forward[:, n]) / use.scale
        for n, use in enumerate(rubric().metrics)
    )
    result = composite(gains, flips(35, seed=1, count=500), 1.0)
    assert result.effect == pytest.approx(expected)
    assert result.pairs == 35


def test_a_failed_cell_has_no_content_to_compare() -> None:
    """Success and content are judged apart."""
    gains = differences(noisy(lost(("boat", "a"))), rubric())
    assert len(gains.pairs) == 34


def test_a_metric_undefined_in_a_pair_is_left_out_there() -> None:
    """Its effect is the mean over the pairs in which it is defined."""
    pairing = noisy(better(0.1))
    first = pairing.pairs[0]
    bare = replace(first.before, values={OTHER: 0.5})
    pairing = replace(pairing, pairs=(replace(first, before=bare), *pairing.pairs[1:]))
    result = effects(
        differences(pairing, rubric()), flips(35, seed=1, count=500), noise(), together=False
    )
    assert {effect.id: effect.pairs for effect in result} == {METRIC: 34, OTHER: 35}


def test_a_metric_undefined_in_most_pairs_does_not_weigh() -> None:
    """A few pairs cannot speak for all; it is named as silent."""
    pairing = noisy()
    bare = [
        replace(p, before=replace(p.before, values={OTHER: 0.5})) if n > 5 else p
        for n, p in enumerate(pairing.pairs)
    ]
    gains = differences(replace(pairing, pairs=tuple(bare)), rubric())
    assert gains.silent == (METRIC,)
    assert gains.composites.tolist() == pytest.approx((gains.forward[:, 1] * 4).tolist())


def test_without_any_value_everything_is_undefined() -> None:
    """Nothing is 0 because it was not measured."""
    pairs = tuple(
        Pair(before=cell("boat", m, values={}), after=cell("boat", m, values={})) for m in "abc"
    )
    gains = differences(Pairing(pairs=pairs), rubric())
    [first, _] = effects(gains, flips(3, seed=1), noise(), together=False)
    assert (first.change, first.gain, first.interval, first.p, first.q) == (None,) * 5
    assert composite(differences(Pairing(pairs=()), rubric()), flips(0, seed=1), 1.0).effect is None


def test_a_change_is_in_the_metrics_unit_and_a_gain_in_scales() -> None:
    """Lower is better here, so a fall of .2 at a scale of .1 is a gain of 2."""
    gains = differences(noisy(better(0.2), spread=1e-9), rubric())
    [first, second] = effects(gains, flips(35, seed=1, count=500), noise(), together=False)
    assert (first.change, first.gain) == (pytest.approx(-0.2), pytest.approx(2.0))
    assert second.gain == pytest.approx(0, abs=1e-6)


def test_drift_widens_what_batches_apart_may_show() -> None:
    """The interval over cells grows and the p-value too; together they do not."""
    gains = differences(noisy(better(0.04)), rubric())
    every = flips(35, seed=1)
    drifting = noise(metrics={METRIC: noise().metrics[METRIC].model_copy(update={"widening": 1.6})})
    [apart, _] = effects(gains, every, drifting, together=False)
    [together, _] = effects(gains, every, drifting, together=True)
    assert apart.interval is not None
    assert together.interval is not None
    assert apart.interval.half == pytest.approx(1.6 * together.interval.half)
    assert (apart.p or 0) > (together.p or 1)


def test_an_effect_expected_against_the_rubric_does_not_weigh() -> None:
    """A change that means to make a metric higher is not punished for doing so."""
    expected = Expectation(metric=METRIC, direction="higher")
    gains = differences(noisy(better(-0.5)), rubric(), [expected])
    result = composite(gains, flips(35, seed=1, count=500), 1.0)
    assert result.waived == (METRIC,)
    assert abs(result.effect or 1) < 0.5


def test_lengths_are_held_against_the_side_before_where_no_baseline_plan_is() -> None:
    """Both longer and shorter texts are worse, whichever side is called before."""
    use = MetricUse(metric="length_ratio", fields=("text",), weight=1.0, scale=0.1)
    one = rubric(metrics=(use,))
    pairs = tuple(
        Pair(
            before=cell("boat", m, values={}, lengths={"text": 100.0}),
            after=cell("boat", m, values={}, lengths={"text": 300.0}),
        )
        for m in "abcdef"
    )
    gains = differences(Pairing(pairs=pairs), one)
    assert (gains.forward < 0).all()
    assert (gains.backward < 0).all()
    # As exchanging the sides makes neither better, it is not evidence by itself.
    assert composite(gains, flips(6, seed=1), 1.0).p is not None
    assert (composite(gains, flips(6, seed=1), 1.0).effect or 0) < -0.5


def test_texts_of_which_none_ends_any_more_have_fallen_without_a_baseline_plan_too() -> None:
    """In the other direction there is nothing to compare, so nothing moves."""
    one = rubric(metrics=(MetricUse(metric="open_ends", fields=("text",), weight=1.0, scale=0.1),))
    pairs = tuple(
        Pair(
            before=cell("boat", m, values={}, closed={"text": 0.9}),
            after=cell("boat", m, values={}, closed={"text": 0.0}),
        )
        for m in "abcdef"
    )
    gains = differences(Pairing(pairs=pairs), one)
    assert gains.forward.ravel().tolist() == pytest.approx([-0.9] * 6)
    assert gains.backward.ravel().tolist() == [0.0] * 6
    back = differences(mirrored(Pairing(pairs=pairs)), one)
    assert back.backward.ravel().tolist() == pytest.approx([-0.9] * 6)
    assert gains.held_against_before == ("open_ends:text",)


def test_the_composite_is_given_for_every_model_and_plan() -> None:
    """And for all plans but one, in turn."""
    result = composite(
        differences(noisy(better(0.3, model="c")), rubric()), flips(35, seed=1, count=500), 1.0
    )
    best = max(result.models, key=lambda part: part.effect)
    assert (best.name, best.pairs) == ("c", 5)
    assert best.interval is not None
    assert set(result.left_out) == {part.name for part in result.plans}
