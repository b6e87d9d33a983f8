"""The order of cells, and the looks."""

from __future__ import annotations

from collections import Counter
from itertools import chain, pairwise

import pytest

from self_improve.verdict.looks import SHARES, groups, looks, order
from tests.self_improve.measured_runs import MODELS, PLANS, keys, noisy

CELLS = [(plan, model, repeat) for plan in PLANS for model in MODELS for repeat in (0, 1)]


def test_every_cell_is_run_once() -> None:
    """Whatever the order in which they were named."""
    found = order(CELLS, seed=1)
    assert sorted(found) == sorted(CELLS)
    assert order(reversed(CELLS), seed=1) == found
    assert order(CELLS, seed=2) != found


@pytest.mark.parametrize("seed", range(5))
def test_plans_and_models_take_turns(seed: int) -> None:
    """At no point has one had two cells more than another of its kind, but for the last few."""
    found = order(CELLS, seed=seed)
    for end in (7, 18, 35, 53, 70):
        for place, names in ((0, PLANS), (1, MODELS)):
            counts = Counter(dict.fromkeys(names, 0))
            counts.update(cell[place] for cell in found[:end])
            assert max(counts.values()) - min(counts.values()) <= 2


def test_there_is_a_look_after_each_quarter() -> None:
    """Nine, eighteen, twenty-seven and thirty-five of 35 cells."""
    found = groups(CELLS[:35])
    assert [len(group) for group in found] == [9, 9, 9, 8]
    assert list(chain(*found)) == CELLS[:35]


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_few_cells_have_fewer_looks(count: int) -> None:
    """No look is taken without a new cell."""
    found = groups(CELLS[:count])
    assert list(chain(*found)) == CELLS[:count]
    assert all(found)


def test_each_look_holds_the_ones_before_it() -> None:
    """And the last one holds all pairs."""
    pairing = noisy()
    found = looks(pairing, seed=3)
    for one, following in pairwise(found):
        assert keys(following.pairing)[: len(one.pairing.pairs)] == keys(one.pairing)
    assert sorted(keys(found[-1].pairing)) == sorted(keys(pairing))
    assert [round(look.share, 1) for look in found] == [0.3, 0.5, 0.8, 1.0]
    assert len(found) == len(SHARES)
