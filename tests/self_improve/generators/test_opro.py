"""OPRO shows what was tried, from worse to better."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

from model_gateway.call import Call
from self_improve.generators.opro import SAMPLES, SHOWN, Opro
from tests.self_improve.scripted_search import SURFACE, helpful


def rows(call: Call[Any], tag: str = "attempts") -> list[dict[str, Any]]:
    """Return the JSON that a block of a call holds."""
    return json.loads(re.search(rf"<{tag}>\n(.*?)\n</{tag}>", call.user, re.DOTALL)[1])


def test_trajectory_is_scored_and_ascends(search) -> None:
    """Whole scores out of 100, the best last, the baseline among them, 20 at most."""
    scripted = search(helpful)
    asyncio.run(scripted.run(Opro()))
    attempts = [rows(call) for _, call in scripted.counsel.log]
    for shown in attempts:
        scores = [row["score"] for row in shown]
        assert scores == sorted(scores)
        assert all(isinstance(score, int) for score in scores)
        assert len(shown) <= SHOWN
    assert [row["text"] for row in attempts[0]] == [
        "Name the moorings.\n\nGive a reason for each.\n"
    ]
    assert max(map(len, attempts)) == SHOWN


def test_what_scores_below_the_threshold_is_not_shown(search) -> None:
    """Unless nothing else is there."""
    scripted = search(helpful)
    asyncio.run(scripted.run(Opro()))
    scores = [row["score"] for _, call in scripted.counsel.log[SAMPLES:] for row in rows(call)]
    assert min(scores) >= 30
    assert rows(scripted.counsel.log[0][1])[0]["score"] == 20


def test_step_samples_eight_texts_from_one_prompt(search) -> None:
    """The words are the same, the keys are not."""
    scripted = search(helpful)
    asyncio.run(scripted.run(Opro()))
    calls = [call for _, call in scripted.counsel.log[:SAMPLES]]
    assert len({call.user for call in calls}) == 1
    assert len({call.key for call in calls}) == SAMPLES
    assert scripted.counsel.log[SAMPLES][1].user != calls[0].user


def test_exemplars_show_what_was_given_and_written(search) -> None:
    """Three of them."""
    scripted = search(helpful)
    asyncio.run(scripted.run(Opro()))
    shown = rows(scripted.counsel.log[0][1], "exemplars")
    assert len(shown) == 3
    assert all(row["plan"] and "by the water" in row["output"] for row in shown)


def test_rejected_texts_stand_before_the_trajectory(search) -> None:
    """They have no score, and break no order."""
    scripted = search(helpful, failed=[{"texts": {SURFACE: "Old idea."}, "reasons": ["collapse"]}])
    asyncio.run(scripted.run(Opro()))
    first = rows(scripted.counsel.log[0][1])[0]
    assert first["text"] == "Old idea."
    assert "collapse" in first["rejected"]
