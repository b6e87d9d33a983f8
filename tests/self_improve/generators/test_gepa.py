"""GEPA keeps a front over single cases, reflects in words, and gates on a minibatch."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from typing import Any

from self_improve.generators.gepa import MINIBATCH, Gepa, chosen, front
from self_improve.search.trial import CellOutcome, Proposal, Scored
from tests.self_improve.scripted_search import CASES, OTHER, SURFACE, helpful, shown

THREE = CASES[:3]


def member(name: str, *scores: float) -> Scored:
    """Return a candidate with these scores on three cases."""
    outcomes = {c.id: CellOutcome(case=c, score=s) for c, s in zip(THREE, scores, strict=True)}
    return Scored(proposal=Proposal(id=name, texts={SURFACE: name}), outcomes=outcomes)


def test_front_holds_whoever_is_best_on_a_case() -> None:
    """The best mean alone is not a claim; a candidate that wins nowhere is off."""
    pool = [member("a", 0.9, 0.1, 0.1), member("b", 0.2, 0.5, 0.5), member("c", 0.8, 0.4, 0.4)]
    assert front(pool, THREE) == {"a": 1, "b": 2}


def test_dominated_candidates_are_pruned() -> None:
    """Who wins only where others win as well goes, the worst mean first."""
    pool = [member("a", 0.9, 0.5, 0.1), member("b", 0.9, 0.5, 0.6), member("c", 0.1, 0.5, 0.1)]
    assert front(pool, THREE) == {"b": 3}


def test_parents_are_drawn_by_their_wins(search) -> None:
    """Two cases won, twice the chance."""
    pool = [member("a", 0.9, 0.1, 0.1), member("b", 0.2, 0.5, 0.5)]
    trial = search(helpful, cases=THREE)
    drawn = Counter(chosen(trial, pool).proposal.id for _ in range(3000))
    assert 1.7 < drawn["b"] / drawn["a"] < 2.4


def test_child_that_loses_on_the_minibatch_is_not_scored_on_all(search) -> None:
    """The gate costs three cells."""
    worse = search(lambda role, call: {"text": f"Idle words, {call.key}."}, cells=60)
    asyncio.run(worse.run(Gepa()))
    counts = Counter(text for text, _ in worse.measure.cells if text.startswith("Idle"))
    assert counts
    assert set(counts.values()) == {MINIBATCH}


def test_child_that_wins_joins_the_pool(search) -> None:
    """It is scored on all cases, and becomes a parent."""
    scripted = search(helpful)
    asyncio.run(scripted.run(Gepa()))
    parents = [shown(call)[0][1] for _, call in scripted.counsel.log]
    assert max(text.count("once") for text in parents) >= 4


def test_reflection_reads_the_traces_of_the_minibatch(search) -> None:
    """What was given and written, its score, and the faults in words."""
    scripted = search(helpful, cells=60)
    asyncio.run(scripted.run(Gepa()))
    _, call = scripted.counsel.log[0]
    traces = json.loads(re.search(r"<traces>\n(.*?)\n</traces>", call.user, re.DOTALL)[1])
    assert len(traces) == MINIBATCH
    assert all(row["plan"] and "by the water" in row["output"] for row in traces)
    assert {row["score"] for row in traces} == {0.2}
    assert "near_duplicates" in call.user


def test_perfect_minibatch_is_skipped(search) -> None:
    """There is nothing to reflect on, and the search ends."""
    scripted = search(helpful, rule=lambda text, case: 1.0)
    result = asyncio.run(scripted.run(Gepa()))
    assert (result.proposer_calls, result.cells) == (0, len(CASES))


def test_surfaces_take_turns(search) -> None:
    """Each reflection is about one text."""
    scripted = search(helpful, searched=(SURFACE, OTHER))
    asyncio.run(scripted.run(Gepa()))
    first = [[name for name, _ in shown(call)] for _, call in scripted.counsel.log[:4]]
    assert first == [[SURFACE], [OTHER], [SURFACE], [OTHER]]


def test_children_of_a_round_are_tried_side_by_side(search) -> None:
    """Each on the minibatch of its own, in one batch of cells."""
    scripted = search(helpful)
    sizes: list[int] = []
    measure = scripted.measure

    async def counted(cells: Any) -> Any:
        sizes.append(len(cells))
        return await measure(cells)

    scripted.measure = counted
    asyncio.run(scripted.run(Gepa()))
    assert sizes[1] == 3 * MINIBATCH


def test_failed_cells_count_nothing() -> None:
    """A candidate that fails where another scores does not win there."""
    failing = Scored(
        proposal=Proposal(id="f", texts={}),
        outcomes={c.id: CellOutcome(case=c, score=None, failure="late") for c in THREE},
    )
    assert front([failing, member("a", 0.1, 0.1, 0.1)], THREE) == {"a": 3}
