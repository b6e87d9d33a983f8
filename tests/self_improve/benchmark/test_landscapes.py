"""Landscapes are drawn from their number, and those of figures are not those of tuning."""

from __future__ import annotations

from itertools import chain

from model_gateway import providers
from self_improve.benchmark.experiments.landscapes import REPORTED, TUNED, Landscape, draw
from self_improve.benchmark.experiments.searches import Bench

TRAIN, VERIFY = ("a", "b", "c", "d"), ("x", "y")


def drawn(bench: Bench, number: int) -> Landscape:
    """Draw one."""
    return draw(number, prompt=bench.prompt, train=TRAIN, verify=VERIFY)


def test_same_number_is_the_same_landscape(bench: Bench) -> None:
    """Another number is another one."""
    assert drawn(bench, 3) == drawn(bench, 3)
    assert drawn(bench, 3) != drawn(bench, 4)


def test_reported_landscapes_share_nothing_with_the_tuned_ones(bench: Bench) -> None:
    """Neither numbers nor seeds nor models."""
    assert not set(TUNED) & set(REPORTED)
    tuned = [drawn(bench, number) for number in TUNED]
    reported = [drawn(bench, number) for number in REPORTED[:100]]
    options = [str(m.options) for one in tuned for m in one.models]
    assert not set(options) & {str(m.options) for one in reported for m in one.models}
    assert not {one.seed for one in tuned} & {one.seed for one in reported}


def test_models_can_be_built(bench: Bench) -> None:
    """Every trait and strength is one that the simulation knows."""
    for model in chain.from_iterable(drawn(bench, number).models for number in REPORTED[:40]):
        providers.build(model)


def test_searches_see_no_verify_plan(bench: Bench) -> None:
    """Train and held-out cases share no plan; all are on each model."""
    one = drawn(bench, 5)
    assert {case.plan for case in one.cases} <= set(TRAIN)
    assert {case.plan for case in one.held_out} == set(VERIFY)
    assert {case.model for case in one.cases} == {case.model for case in one.held_out}


def test_start_is_a_changed_prompt(bench: Bench) -> None:
    """It has fewer examples than the step's own prompt, and more sentences."""
    for number in TUNED[:20]:
        start = drawn(bench, number).start
        assert start != bench.prompt
        assert start.count("\n> ") < bench.prompt.count("\n> ")
