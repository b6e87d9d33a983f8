"""SPO trusts comparisons of outputs, and nothing else."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from model_gateway.call import Call, Failure, FailureKind
from self_improve.generators.spo import COMPARISONS, ROUNDS, SAMPLES, Spo
from self_improve.search.trial import JUDGE
from tests.self_improve.scripted_search import SURFACE, helpful, shown


def judged(votes: list[str]) -> Any:
    """Return a proposer whose judge gives the new side (`new`), the old one, or nobody its vote."""

    def answer(role: str, call: Call[Any]) -> Any:
        if role != JUDGE:
            text = shown(call)[0][1]
            return {"text": f"{text}\nSay it once, as for {call.key}."}
        vote = votes[int(call.key.split("/")[1]) - 1]
        if vote == "fails":
            return Failure(kind=FailureKind.server, message="down")
        counts = [side.split("</")[0].count("once") for side in split(call)]
        new = "a" if counts[0] > counts[1] else "b"
        return {"winner": {"new": new, "old": "ab".replace(new, ""), "tie": "tie"}[vote]}

    return answer


def split(call: Call[Any]) -> list[str]:
    """Return the two sides as they are shown."""
    first, second = call.user.split("<a>")[1].split("<b>")
    return [first, second]


@pytest.mark.parametrize(
    ("votes", "taken"),
    [
        ("new new new new", 1),
        ("new new old new", 1),
        ("new new old old", 0),
        ("new new tie tie", 0),
        ("new new fails fails", 0),
        ("old old old old", 0),
    ],
)
def test_proposal_is_taken_on_a_strict_majority(search, votes: str, taken: int) -> None:
    """Three of four; ties and failures are not votes."""
    scripted = search(judged(votes.split()))
    asyncio.run(scripted.run(Spo()))
    second = next(call for role, call in scripted.counsel.log if call.key == "round_2")
    assert shown(second)[0][1].count("once") == taken


def test_scores_have_no_say(search) -> None:
    """What the judge prefers is taken although it scores less, and the reverse."""
    scripted = search(judged(["new"] * 4), rule=lambda text, case: 0.9 - 0.2 * text.count("once"))
    asyncio.run(scripted.run(Spo()))
    last = [call for role, call in scripted.counsel.log if role != JUDGE][-1]
    assert shown(last)[0][1].count("once") == ROUNDS - 1
    for _, call in scripted.counsel.log:
        assert "score" not in call.user
        assert "near_duplicates" not in call.user


def test_each_side_is_first_as_often_as_the_other(search) -> None:
    """In an order that chance makes."""
    scripted = search(judged(["old"] * 4))
    asyncio.run(scripted.run(Spo()))
    calls = [call for role, call in scripted.counsel.log if role == JUDGE]
    firsts = Counter()
    orders = set()
    for number in range(1, ROUNDS + 1):
        questions = [c for c in calls if c.key.startswith(f"round_{number}/")]
        order = tuple(s[0].count("once") > s[1].count("once") for s in map(split, questions))
        assert len(order) == COMPARISONS
        firsts.update(order)
        orders.add(order)
    assert firsts[True] == firsts[False]
    assert len(orders) > 1


def test_rounds_run_both_sides_on_three_cases(search) -> None:
    """The same ones, ten times, and what it ends with on all."""
    scripted = search(helpful)
    result = asyncio.run(scripted.run(Spo()))
    counts = Counter(text for text, _ in scripted.measure.cells)
    assert sorted(counts.values()) == [*[SAMPLES] * (ROUNDS - 1), 8, 8]
    few = [
        {c for t, c in scripted.measure.cells if t == text} for text, n in counts.items() if n < 8
    ]
    assert all(one == few[0] for one in few)
    assert len(result.scored) == ROUNDS + 1


def test_failed_output_is_shown_as_missing(search) -> None:
    """The judge sees that one side wrote nothing."""
    scripted = search(helpful, rule=lambda text, case: None if "once" in text else 0.5)
    asyncio.run(scripted.run(Spo()))
    call = next(call for role, call in scripted.counsel.log if role == JUDGE)
    assert sorted("null" in side for side in split(call)) == [False, True]


def test_silent_judge_ends_the_search(search, rows) -> None:
    """Rounds without any vote are not repeated for ever."""
    scripted = search(judged(["fails"] * 4), small=True)
    result = asyncio.run(scripted.run(Spo()))
    assert len(result.scored) <= 6
    assert any("could be compared" in row.get("text", "") for row in rows)
    assert SURFACE in result.scored[0].proposal.texts
