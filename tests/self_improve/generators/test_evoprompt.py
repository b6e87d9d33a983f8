"""Both EvoPrompts: who is chosen, who is shown, who survives."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from model_gateway.call import Call, Failure, FailureKind
from self_improve.generators.evoprompt_de import EvoPromptDe
from self_improve.generators.evoprompt_ga import MEMBERS, Child, EvoPromptGa
from self_improve.search import population
from self_improve.search.trial import CellOutcome, Proposal, Scored
from tests.self_improve.scripted_search import CASES, SURFACE, by_marks, helpful, shown


def scored(name: str, score: float) -> Scored:
    """Return a member with this score on every case."""
    outcomes = {case.id: CellOutcome(case=case, score=score) for case in CASES}
    return Scored(proposal=Proposal(id=name, texts={SURFACE: name}), outcomes=outcomes)


def generation(scripted: Any, number: int) -> list[Call[Any]]:
    """Return the calls of one generation."""
    return [c for _, c in scripted.counsel.log if c.key.startswith(f"generation_{number}/")]


def test_parents_are_drawn_in_proportion_to_their_fitness(search) -> None:
    """Three times the score, three times as often."""
    trial = search(helpful)
    members = [scored("low", 0.2), scored("high", 0.6), scored("none", 0.0)]
    drawn = Counter(population.roulette(trial, members, CASES).proposal.id for _ in range(4000))
    assert drawn["high"] / drawn["low"] == pytest.approx(3, rel=0.2)
    assert drawn["none"] == 0


def test_where_nobody_is_fit_everybody_may_be_drawn(search) -> None:
    """A population of failures does not crash."""
    trial = search(helpful)
    members = [scored("one", 0.0), scored("two", 0.0)]
    assert len({population.roulette(trial, members, CASES).proposal.id for _ in range(50)}) == 2


def test_population_begins_with_the_baseline_and_its_paraphrases(search) -> None:
    """Ten together."""
    scripted = search(helpful)
    asyncio.run(scripted.run(EvoPromptGa()))
    assert [role for role, _ in scripted.counsel.log].count("paraphrase") == MEMBERS - 1


def test_one_call_crosses_two_parents_and_mutates(search) -> None:
    """It shows both under one id."""
    scripted = search(helpful)
    asyncio.run(scripted.run(EvoPromptGa()))
    calls = generation(scripted, 1)
    assert len(calls) == MEMBERS
    assert {call.schema for call in calls} == {Child}
    assert all([name for name, _ in shown(call)] == [SURFACE, SURFACE] for call in calls)


def test_best_of_parents_and_children_survive(search) -> None:
    """Nine good parents outlive a generation of idle children; one place is left for these."""

    def answer(role: str, call: Call[Any]) -> Any:
        said = "Paraphrase once" if role == "paraphrase" else "Idle child"
        return {"text": f"{said}, {call.key}."}

    scripted = search(answer)
    asyncio.run(scripted.run(EvoPromptGa()))
    for number in (2, 3, 4):
        texts = {text for call in generation(scripted, number) for _, text in shown(call)}
        assert sum("once" in text for text in texts) >= 5
        assert sum("once" not in text for text in texts) <= 1


def test_trial_of_a_slot_sees_two_others_the_best_and_the_slot(search) -> None:
    """In this order; the two differ from each other and from the slot."""
    scripted = search(helpful)
    asyncio.run(scripted.run(EvoPromptDe()))
    for number in (1, 2, 3):
        calls = generation(scripted, number)
        texts = [[text for _, text in shown(call)] for call in calls]
        assert len(calls) == MEMBERS
        assert all(
            len(parents) == 4 and len({parents[0], parents[1], parents[3]}) == 3
            for parents in texts
        )
        best = max(by_marks(parents[3], CASES[0]) for parents in texts)
        assert {by_marks(parents[2], CASES[0]) for parents in texts} == {best}


def test_slot_is_taken_only_by_what_is_better(search) -> None:
    """Trials that score the same or less leave every slot as it was."""

    def answer(role: str, call: Call[Any]) -> Any:
        said = "Paraphrase once" if role == "paraphrase" else "Trial"
        return {"text": f"{said}, {call.key}."}

    scripted = search(answer)
    asyncio.run(scripted.run(EvoPromptDe()))
    slots = [[shown(call)[3] for call in generation(scripted, number)] for number in (1, 2)]
    assert slots[0][1:] == slots[1][1:]
    assert all("Trial" not in text for _, text in slots[1])
    better = search(helpful)
    asyncio.run(better.run(EvoPromptDe()))
    first, second = ([shown(c)[3] for c in generation(better, n)] for n in (1, 2))
    grown = [
        new[1].count("once") - old[1].count("once") for old, new in zip(first, second, strict=True)
    ]
    assert min(grown) == 0 < max(grown)


def test_two_members_have_no_difference_of_two_others(search, rows) -> None:
    """Differential evolution says so and ends."""
    down = Failure(kind=FailureKind.server, message="down")
    asyncio.run(search(lambda role, call: down).run(EvoPromptDe()))
    assert any("no two others" in row.get("text", "") for row in rows)


def test_population_fits_the_budget(search) -> None:
    """At most half of what is left is spent on beginning."""
    scripted = search(helpful, cells=80)
    result = asyncio.run(scripted.run(EvoPromptGa()))
    assert 1 < [role for role, _ in scripted.counsel.log].count("paraphrase") < MEMBERS - 1
    assert generation(scripted, 1)
    assert result.cells <= 80
