"""Which cells belong together, and what is left out and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from self_improve.verdict.pairing import Pair, pair, repeat_offsets
from tests.self_improve.measured_runs import MODELS, PLANS, cell, keys, noisy, run, sides
from tools.relabelling import mirrored


def test_cells_are_paired_by_plan_model_and_repeat() -> None:
    """Each key that both sides have is a pair."""
    cells = [cell(plan, "a", repeat) for plan in ("boat", "moor") for repeat in (0, 1)]
    pairing = sides({"a": cells}, {"a": cells[1:]})
    assert keys(pairing) == [("boat", "a", 1), ("moor", "a", 0), ("moor", "a", 1)]
    assert pairing.notes == ("a: 1 cells only before, so they are left out",)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_model_on_one_side_only_is_left_out_and_named(side: str) -> None:
    """Its cells would be compared with nothing."""
    one, two = {"a": [cell("boat", "a")]}, {"a": [cell("boat", "a")], "b": [cell("boat", "b")]}
    pairing = sides(two, one) if side == "before" else sides(one, two)
    assert pairing.models == ("a",)
    assert pairing.notes == (f"b: only {side}, so it is left out",)


def test_a_model_that_is_wrongly_configured_on_every_plan_is_left_out() -> None:
    """Whatever the other side did, that says nothing of a prompt."""
    good = [cell(plan, "a") for plan in PLANS]
    bad = [cell(plan, "a", succeeded=False, failure_kind="configuration") for plan in PLANS]
    pairing = sides({"a": good}, {"a": bad})
    assert pairing.pairs == ()
    assert pairing.notes == ("a: wrongly configured on every plan after, so it is left out",)


def test_a_model_that_is_wrongly_configured_once_stays_in() -> None:
    """Only the pair is marked as one that says nothing of success."""
    good = [cell(plan, "a") for plan in PLANS]
    bad = cell("boat", "a", succeeded=False, failure_kind="configuration")
    pairing = sides({"a": good}, {"a": [bad, *good[1:]]})
    assert len(pairing.pairs) == 5
    assert [p.plan for p in pairing.pairs if p.is_outside] == ["boat"]
    assert "1 pairs in which a cell failed for reasons outside of the prompt" in pairing.notes[0]


def test_an_empty_run_is_left_out_and_named() -> None:
    """The run that took its place is paired."""
    path = Path("/lab/history/0/24_find")
    good = [cell("boat", "a")]
    pairing = pair([run("a", good)], [run("a", [], path=path), run("a", good)])
    assert keys(pairing) == [("boat", "a", 0)]
    assert pairing.notes == ("0/24_find: an empty run after, left out",)


def test_runs_of_one_model_on_a_side_are_repeats() -> None:
    """The second run's cells follow those of the first, on both sides alike."""
    once, twice = [cell("boat", "a")], [cell("boat", "a"), cell("boat", "a", 1)]
    runs = [run("a", twice), run("a", once), run("b", [cell("boat", "b")])]
    assert repeat_offsets(runs) == [0, 2, 0]
    assert keys(pair(runs, runs)) == [
        ("boat", "a", 0), ("boat", "a", 1), ("boat", "a", 2), ("boat", "b", 0),
    ]  # fmt: skip


def test_exchanging_both_sides_twice_changes_nothing() -> None:
    """The comparison in the other direction has the same pairs."""
    pairing = noisy()
    assert mirrored(mirrored(pairing)) == pairing
    assert mirrored(pairing).pairs[0] == Pair(
        before=pairing.pairs[0].after, after=pairing.pairs[0].before
    )
    assert (pairing.models, pairing.plans) == (MODELS, PLANS)
