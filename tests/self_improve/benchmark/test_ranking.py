"""Standings count searches that did not get there as such, and give intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from self_improve.benchmark import figures, report
from self_improve.benchmark.experiments.resume_check import Resumed
from self_improve.benchmark.experiments.searches import Point, Result
from self_improve.benchmark.ranking import Duel, difference, duel, mean, median, ranking

BUDGET = 100


def result(
    generator: str, landscape: int, curve: Sequence[tuple[int, float]], **more: Any
) -> Result:
    """Return a search whose best rose as `curve` says, from a base of .5."""
    points = [Point(cells=cells, asked=cells // 10, score=0.5 + gain) for cells, gain in curve]
    values: dict[str, Any] = {
        "generator": generator, "landscape": landscape, "budget": BUDGET, "cells": BUDGET,
        "asked": 10, "candidates": 5, "refused": 1, "stopped": "over", "base": 0.5,
        "curve": (Point(cells=9, asked=0, score=0.5), *points),
        "train_gain": max((gain for _, gain in curve), default=0.0), "verify_gain": 0.05,
        "by_model": {"m1": 0.1, "m2": -0.02}, "overshoot": 0, "seconds": 2.0,
        "own_seconds": 0.1, "winner": "w", "winner_size": 9, "base_size": 8, **more,
    }  # fmt: skip
    return Result(**values)


def field() -> list[Result]:
    """Return three landscapes: one generator is quick, one slow, one gets nowhere."""
    rows = []
    for number in (1, 2, 3):
        rows += [
            result("oracle", number, [(400, 0.1)]),
            result("reflective", number, [(20, 0.06), (40, 0.09)]),
            result("gepa-package", number, [(50, 0.09), (90, 0.1)]),
            result("random", number, []),
        ]
    return rows


def test_step_calls_to_a_share_are_counted() -> None:
    """They are those at which the best on all cases first had it; the quickest stands first."""
    ranks = ranking(field())
    rows = {row.generator: row for row in ranks.rows}
    assert [rows["reflective"].cells_to[s].value for s in (0.5, 0.8)] == [20, 40]
    assert math.isinf(rows["reflective"].cells_to[0.95].value)
    assert rows["gepa-package"].asked_to[0.95].value == 9
    assert ranks.rows[0].generator == "reflective"
    assert "oracle" not in rows


def test_searches_that_do_not_get_there_are_shown() -> None:
    """A median is infinite when fewer than half arrive, and says how many did."""
    one = median([10.0, math.inf, math.inf])
    assert (math.isinf(one.value), one.reached, one.of) == (True, 1, 3)
    assert median([10.0, 12.0, math.inf]).value == 12
    assert ranking(field()).rows[-1].cells_to[0.5].reached == 0


def test_search_that_beats_the_oracle_moves_the_bar() -> None:
    """What can be gained is the most that anybody found."""
    better = [*field(), result("opro", 1, [(30, 0.2)])]
    ranks = ranking(better)
    assert ranks.reachable[1] == pytest.approx(0.2)
    assert ranks.oracle_was_beaten == 1


def test_flat_landscapes_are_left_out_and_named() -> None:
    """Where nothing can be gained nobody can be first."""
    ranks = ranking([*field(), result("oracle", 9, [(9, 0.001)]), result("random", 9, [])])
    assert ranks.left_out == (9,)


def test_losses_of_the_worst_model_are_kept() -> None:
    """Gains of other models do not hide them; train and verify gains stand apart."""
    rows = {row.generator: row for row in ranking(field()).rows}
    assert rows["reflective"].regression.value == pytest.approx(-0.02)
    assert rows["reflective"].gap.value == pytest.approx(0.04)


def test_intervals_hold_the_value_and_are_the_same_again() -> None:
    """They are bootstraps with a fixed seed."""
    one = mean([0.1, 0.2, 0.4, 0.9])
    assert one.low < one.value < one.high
    assert one == mean([0.1, 0.2, 0.4, 0.9])


def test_difference_is_paired_by_landscape() -> None:
    """A generator that does not get there counts one call beyond the budget."""
    results = field()
    best = ranking(results).reachable
    assert difference(results, "reflective", "gepa-package", 0.8, best).value == -10
    assert difference(results, "random", "reflective", 0.8, best).value == BUDGET + 1 - 40


def test_pairs_in_which_neither_gets_there_are_counted_apart() -> None:
    """They are censored and no tie; where one gets there, it was earlier."""
    results = field()
    best = ranking(results).reachable
    assert duel(results, "reflective", "gepa-package", 0.8, best) == Duel(
        earlier=3, later=0, equal=0, neither=0
    )
    assert duel(results, "reflective", "random", 0.95, best) == Duel(
        earlier=0, later=0, equal=0, neither=3
    )
    assert duel(results, "random", "gepa-package", 0.95, best).later == 3


def test_page_tells_all_and_figures_are_the_same_bytes(tmp_path: Path) -> None:
    """Who wins is said with numbers; drawing again changes no byte."""
    results = field()
    ranks = ranking(results)
    killed = [Resumed(generator="random", landscape=1, killed=True, repeated=0, more=0, same=True)]
    first = figures.draw(ranks, killed, tmp_path / "1")
    again = figures.draw(ranks, killed, tmp_path / "2")
    assert first == again
    for name, _ in first:
        one, other = (tmp_path / n / f"{name}.svg" for n in "12")
        assert one.read_bytes() == other.read_bytes()
    page = report.page(ranks, killed, results, first, command="the command")
    assert "SIMULATED" in page
    assert "the default **reaches the goal**" in page
    assert "> 100; 0/3" in page
    assert all(f"figures/generators/{name}.svg" in page for name, _ in first)
    assert all(word in page for word in ("GRPO", "RLHF", "Soft prompts", "fine-tuning"))


def test_missed_goal_is_said() -> None:
    """The page does not flatter the house."""
    late = [
        result("reflective", one.landscape, [(95, 0.09)]) if one.generator == "reflective" else one
        for one in field()
    ]
    page = report.page(ranking(late), [], late, [], command="c")
    assert "**misses the goal**" in page
