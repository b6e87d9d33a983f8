"""The order of cells, and the looks."""

from __future__ import annotations

from collections import Counter
from itertools import chain, pairwise

import pytest

from self_improve.verdict.looks import EARLIER_SHARES, SHARES, groups, order
from tests.self_improve.measured_runs import MODELS, PLANS, keys, noisy
from tools.relabelling import looks

CELLS = [(plan, model, repeat) for plan in PLANS for model in MODELS for repeat in (0, 1)]


def test_every_cell_is_run_once() -> None:
    """Whatever the order in which they were named."""
    ordered = order(CELLS, seed=1)
    assert sorted(ordered) == sorted(CELLS)
    assert order(reversed(CELLS), seed=1) == ordered
    assert order(CELLS, seed=2) != ordered


@pytest.mark.parametrize("seed", range(5))
def test_plans_and_models_take_turns(seed: int) -> None:
    """At no point has one had two cells more than another of its kind, but for the last few."""
    ordered = order(CELLS, seed=seed)
    for end in (7, 18, 35, 53, 70):
        for index, names in ((0, PLANS), (1, MODELS)):
            counts = Counter(dict.fromkeys(names, 0))
            counts.update(cell[index] for cell in ordered[:end])
            assert max(counts.values()) - min(counts.values()) <= 2


def test_there_is_a_look_after_a_fifth_and_after_each_tenth_that_follows() -> None:
    """Seven, eleven, fourteen and so on to thirty-five of 35 cells."""
    ordered = groups(CELLS[:35])
    assert [len(group) for group in ordered] == [7, 4, 3, 4, 3, 4, 3, 4, 3]
    assert list(chain(*ordered)) == CELLS[:35]


def test_looks_may_be_taken_as_a_record_says() -> None:
    """Runs of earlier versions were looked at less often."""
    ordered = groups(CELLS[:35], EARLIER_SHARES)
    assert [len(group) for group in ordered] == [14, 7, 7, 7]
    assert list(chain(*ordered)) == CELLS[:35]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_cells_have_fewer_looks(count: int) -> None:
    """No look is taken without a new cell."""
    ordered = groups(CELLS[:count])
    assert list(chain(*ordered)) == CELLS[:count]
    assert all(ordered)


def test_each_look_holds_the_ones_before_it() -> None:
    """And the last one holds all pairs."""
    pairing = noisy()
    ordered = looks(pairing, seed=3)
    for one, following in pairwise(ordered):
        assert keys(following.pairing)[: len(one.pairing.pairs)] == keys(one.pairing)
    assert sorted(keys(ordered[-1].pairing)) == sorted(keys(pairing))
    assert [round(look.share, 1) for look in ordered] == list(SHARES)
    assert len(ordered) == len(SHARES)
