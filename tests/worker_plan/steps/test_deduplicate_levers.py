"""Which levers stay: what was decided counts, and what was not decided stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from worker_plan.errors import StepError
from worker_plan.step import Step
from worker_plan.steps import deduplicate_levers
from worker_plan.steps.deduplicate_levers import (
    DeduplicateLevers,
    Keeping,
    LeverDecision,
    levers_to_keep,
)
from worker_plan.steps.identify_potential_levers import IdentifyPotentialLevers, Lever

MAKE = Callable[[type[Step]], Step]


def lever(number: int) -> Lever:
    """Return a lever."""
    return Lever(
        lever_id=f"id-{number}", name=f"Lever {number}", consequences="C.", options=["A", "B", "C"],
        review="R.",
    )  # fmt: skip


def decided(number: int, classification: Keeping) -> LeverDecision:
    """Return a decision on a lever."""
    return LeverDecision(
        lever_id=f"id-{number}", classification=classification, justification=f"Because {number}."
    )


def test_only_what_was_put_away_goes() -> None:
    """Absorbed and removed levers go; the others stay in their order with their reasons."""
    remaining = levers_to_keep(
        [lever(n) for n in range(4)],
        [decided(2, Keeping.keep), decided(0, Keeping.absorb), decided(1, Keeping.remove)],
    )
    assert [(one.name, one.deduplication_justification) for one in remaining] == [
        ("Lever 2", "Because 2."),
        ("Lever 3", ""),
    ]


def test_decision_about_nothing_is_passed_over() -> None:
    """An id that no lever has changes nothing."""
    remaining = levers_to_keep([lever(1)], [decided(9, Keeping.remove)])
    assert [one.name for one in remaining] == ["Lever 1"]


def answer(levers: list[Lever], word: str) -> dict[str, Any]:
    """Return a reply that decides the same about every lever."""
    return {
        "decisions": [
            {"lever_id": one.lever_id, "classification": word, "justification": "So."}
            for one in levers
        ]
    }


def test_list_without_doubles_stays_whole(a_copy: MAKE) -> None:
    """Nothing has to go."""
    task = a_copy(DeduplicateLevers)
    levers = IdentifyPotentialLevers.levers.load(Path(task.run_dir))
    ask = Scripted(lambda _: answer(levers, "Keep"))
    written = carry_out(task, ask)["002-11-deduplicated_levers_raw.json"]
    assert [one.lever_id for one in written.deduplicated_levers] == [x.lever_id for x in levers]
    assert all(one.lever_id in ask.sent for one in levers)


def test_nothing_kept_is_asked_again(a_copy: MAKE, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan without levers cannot go on: the model is asked once more, in a call of its own."""
    monkeypatch.setattr(deduplicate_levers, "NONE_KEPT_FOLLOW_UP_PROMPT", "A text set just now.")
    task = a_copy(DeduplicateLevers)
    levers = IdentifyPotentialLevers.levers.load(Path(task.run_dir))
    ask = Scripted(
        lambda call: answer(levers, "keep" if "A text set just now." in call.user else "remove")
    )
    written = carry_out(task, ask)["002-11-deduplicated_levers_raw.json"]
    assert len(written.deduplicated_levers) == len(levers)
    assert len({call.key for call in ask.calls}) == 2


def test_nothing_kept_twice_is_a_failure(a_copy: MAKE) -> None:
    """It is not asked for ever."""
    task = a_copy(DeduplicateLevers)
    levers = IdentifyPotentialLevers.levers.load(Path(task.run_dir))
    ask = Scripted(lambda _: answer(levers, "remove"))
    with pytest.raises(StepError, match=f"kept none of {len(levers)} levers, twice"):
        carry_out(task, ask)
    assert len(ask.calls) == 2


def test_reply_without_a_decision_is_no_reply(a_copy: MAKE) -> None:
    """Unknown classes cost their item; with none left the step fails."""
    task = a_copy(DeduplicateLevers)
    levers = IdentifyPotentialLevers.levers.load(Path(task.run_dir))
    for said in (answer(levers, "perhaps"), {"decisions": []}, FAILED):
        with pytest.raises(StepError, match="no usable reply"):
            carry_out(task, Scripted(lambda _, said=said: said))
