"""APE infers instructions from pairs that it is shown without the instructions."""

from __future__ import annotations

import asyncio
from collections import Counter

from self_improve.generators.ape import DEMONSTRATIONS, PROMPTS, SUBSAMPLES, Ape
from self_improve.search.trial import Case
from tests.self_improve.scripted_search import CASES, OTHER, PLAN, SURFACE, helpful

MANY = tuple(Case(plan=f"p{n}", model="m1") for n in range(20))


def test_fifty_prompts_come_from_five_subsamples_of_five_pairs(search) -> None:
    """Ten calls say the same words each."""
    scripted = search(helpful, cases=MANY)
    asyncio.run(scripted.run(Ape()))
    calls = [call for _, call in scripted.counsel.log]
    assert len(calls) == PROMPTS
    words = Counter((call.key.split("/")[0], call.user) for call in calls)
    assert len(words) == SUBSAMPLES
    assert all(user.count("<output>") == DEMONSTRATIONS for _, user in words)
    assert set(words.values()) == {PROMPTS // SUBSAMPLES}


def test_pairs_are_shown_and_the_texts_are_not(search) -> None:
    """What is induced owes nothing to the old instruction."""
    scripted = search(helpful)
    asyncio.run(scripted.run(Ape()))
    user = scripted.counsel.log[0][1].user
    assert PLAN in user
    assert "by the water" in user
    assert "Name the moorings" not in user
    assert "<prompt" not in user


def test_pairs_are_those_of_the_better_half(search) -> None:
    """Nobody learns from what went wrong."""
    scripted = search(
        helpful, rule=lambda t, c: None if c.model == "m2" else 0.5 + 0.1 * t.count("once")
    )
    asyncio.run(scripted.run(Ape()))
    assert all("null" not in call.user for _, call in scripted.counsel.log)


def test_equal_prompts_are_scored_once(search, rows) -> None:
    """The others stand in the log."""
    scripted = search(lambda role, call: {"text": f"Name it once, {call.key[-1]}."})
    result = asyncio.run(scripted.run(Ape()))
    assert result.proposer_calls == PROMPTS
    assert len(result.scored) == 11
    assert sum("it repeats" in row.get("reason", "") for row in rows) == 40


def test_best_five_are_confirmed(search) -> None:
    """After all were scored on the same few cases."""
    result = asyncio.run(search(helpful).run(Ape()))
    assert Counter(len(s.outcomes) for s in result.scored) == {3: 45, len(CASES): 6}


def test_subsamples_take_turns_at_the_texts(search) -> None:
    """With two searched surfaces three of them write the first."""
    scripted = search(helpful, searched=(SURFACE, OTHER))
    result = asyncio.run(scripted.run(Ape()))
    changed = Counter(s.proposal.texts[OTHER] == "A short phrase." for s in result.scored[1:])
    assert changed == {True: 30, False: 20}


def test_small_setting_and_small_budget_make_fewer(search) -> None:
    """Twenty, or what can be scored."""
    small = asyncio.run(search(helpful, small=True).run(Ape()))
    assert small.proposer_calls == 20
    tight = asyncio.run(search(helpful, cells=60).run(Ape()))
    assert 0 < tight.proposer_calls == (60 - 8 - 40) // 3


def test_worthless_baseline_is_no_teacher(search, rows) -> None:
    """Where no output is worth anything there is nothing to infer from."""
    result = asyncio.run(search(helpful, rule=lambda t, c: 0.0).run(Ape()))
    assert result.proposer_calls == 0
    assert any("worth inducing" in row.get("text", "") for row in rows)
