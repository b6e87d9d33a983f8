"""The judge compares blind, in both orders, and measures itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.judge import Pair, Preferences, judge
from model_gateway import entry_files
from model_gateway.call import Call, Failure, FailureKind, R, Reply
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.gateway import Gateway
from rubrics.rubric import Question

QUESTIONS = [Question(id="real", text="Which is more real?"), Question(id="new", text="Newer?")]
GOOD = [{"name": f"Lock {n}", "text": f"The lock keeper opens gate {n} at dawn."} for n in "abcd"]
BAD = [{"name": "Gate", "text": "[to be filled]"} for _ in range(4)]


class Scripted:
    """Plays a judge: `answer` is given what stands in `<a>` and `<b>`."""

    def __init__(self, answer: Callable[[str, str], Any]) -> None:
        self._answer = answer

    async def ask(self, role: str, model: Model, call: Call[R], *, repeat: int = 0) -> Reply[R]:
        """Answer a call."""
        sides = [call.user.split(f"<{s}>\n")[1].split(f"\n</{s}>")[0] for s in "ab"]
        said = self._answer(*sides)
        if isinstance(said, Failure):
            return Reply(value=None, text="", model=model.name, failure=said)
        value = call.schema.model_validate(said)
        return Reply(value=value, text=json.dumps(said), model=model.name)


def marks(a: int, b: int) -> dict[str, Any]:
    """Return the same marks for both questions."""
    winner = "a" if a > b else "b" if b > a else "tie"
    return {"marks": [{"score_a": a, "score_b": b, "winner": winner, "reason": "r"}] * 2}


def judged(answer: Callable[[str, str], Any], pairs: int = 8) -> Preferences:
    """Judge pairs of "old" before and "new" after."""
    rows = [Pair(key=(f"p{n}", "m", 0), plan="P.", before="old", after="new") for n in range(pairs)]
    model = entry_files.load().find("sim-judge")
    return asyncio.run(judge(Scripted(answer), model, QUESTIONS, rows))


def test_side_that_wins_in_both_orders_is_preferred() -> None:
    """Eight of eight is beyond chance, and the marks differ by what was given."""
    result = judged(lambda a, b: marks(2, 4) if "new" in b else marks(4, 2))
    assert (result.wins, result.losses, result.ties) == (8, 0, 0)
    assert result.prefers_after
    assert not result.prefers_before
    assert result.p_value == pytest.approx(2 * 0.5**8)
    assert (result.agreement, result.position_bias, result.preference) == (1.0, 0.0, 1.0)
    assert [(q.id, q.wins, q.difference) for q in result.questions] == [
        ("real", 8, 2.0), ("new", 8, 2.0),
    ]  # fmt: skip


def test_judge_that_likes_what_comes_first_prefers_nothing() -> None:
    """Its liking is measured as position bias, and every pair is a tie."""
    result = judged(lambda a, b: marks(4, 3))
    assert (result.wins, result.losses, result.ties) == (0, 0, 8)
    assert (result.agreement, result.position_bias) == (0.0, 1.0)
    assert result.p_value is None
    assert not result.prefers_after
    assert result.questions[0].difference == 0.0


def test_few_wins_are_chance() -> None:
    """Three of three could be luck."""
    result = judged(lambda a, b: marks(1, 5) if "new" in b else marks(5, 1), pairs=3)
    assert result.wins == 3
    assert not result.prefers_after


def test_failed_reply_is_counted_and_judges_nothing() -> None:
    """A pair without both opinions is neither win nor tie."""
    down = Failure(kind=FailureKind.server, message="down")
    result = judged(lambda a, b: down if "new" in b else marks(5, 1))
    assert (result.pairs, result.failed) == (0, 8)
    assert result.agreement is None
    assert result.preference is None


def test_reply_with_too_few_marks_is_no_opinion() -> None:
    """Questions left out are not taken for ties."""
    result = judged(lambda a, b: {"marks": marks(1, 5)["marks"][:1]}, pairs=2)
    assert (result.pairs, result.failed) == (0, 2)


def test_simulated_judge_sees_planted_faults(tmp_path: Path) -> None:
    """Through the gateway, placeholders and repeated texts lose against whole ones."""

    async def session() -> Preferences:
        pairs = [
            Pair(key=(f"p{n}", "m", 0), plan="A lock.", before=BAD, after=GOOD) for n in range(8)
        ]
        async with Gateway() as gateway, Counsel(gateway, tmp_path) as counsel:
            return await judge(counsel, entry_files.load().find("sim-judge"), QUESTIONS, pairs)

    assert asyncio.run(session()).prefers_after
