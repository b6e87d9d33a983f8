"""Which cells belong together, and what is left out and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from self_improve.measures.measured import MeasuredCell
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


def failing(kind: str | None) -> list[MeasuredCell]:
    """Return cells of all plans that failed for one reason."""
    return [cell(plan, "a", succeeded=False, failure_kind=kind) for plan in PLANS]


GOOD = [cell(plan, "a") for plan in PLANS]


def test_a_model_that_is_wrongly_configured_on_both_sides_is_left_out() -> None:
    """Its settings are the same on both, so that says nothing of a prompt."""
    pairing = sides({"a": failing("configuration")}, {"a": failing("configuration")})
    assert pairing.pairs == ()
    assert "wrongly configured on every plan of both sides" in pairing.notes[0]


@pytest.mark.parametrize("kind", ["configuration", "too_long", "schema", "time_limit", None])
def test_requests_that_fail_on_one_side_only_are_lost_cells(kind: str | None) -> None:
    """Nothing but the prompt differs, so a candidate that no longer fits is not left out."""
    pairing = sides({"a": GOOD}, {"a": failing(kind)})
    assert len(pairing.pairs) == len(PLANS)
    assert not any(pair.is_outside for pair in pairing.pairs)


def test_a_model_without_access_on_one_side_is_left_out() -> None:
    """A key that expired meanwhile is not the candidate's."""
    pairing = sides({"a": GOOD}, {"a": failing("access")})
    assert pairing.pairs == ()
    assert "no access to it on every plan after" in pairing.notes[0]


@pytest.mark.parametrize("kind", ["server", "connection", "rate_limit", "access", "budget"])
def test_a_failure_of_the_world_is_marked_and_not_counted(kind: str) -> None:
    """Only the pair is marked as one that says nothing of success."""
    bad = cell("boat", "a", succeeded=False, failure_kind=kind)
    pairing = sides({"a": GOOD}, {"a": [bad, *GOOD[1:]]})
    assert len(pairing.pairs) == 5
    assert [p.plan for p in pairing.pairs if p.is_outside] == ["boat"]
    assert "1 pairs in which a cell failed for reasons outside of the prompt" in pairing.notes[0]


def test_a_run_that_was_stopped_early_is_not_called_empty() -> None:
    """Its record says why it has no cells, and so does the note; a look takes only some cells."""
    stopped = run("a", [], notes=("0/25_find: stopped early because it was decided",))
    pairing = pair([run("a", GOOD)], [stopped, run("a", [], restricted=True), run("a", GOOD)])
    assert pairing.notes == stopped.notes


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
