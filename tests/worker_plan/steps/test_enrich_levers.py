"""Explaining levers in batches: a failure costs only its batch, and is reported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from worker_plan.errors import StepError
from worker_plan.step import Step
from worker_plan.steps.deduplicate_levers import (
    DeduplicatedLever,
    DeduplicatedLevers,
    DeduplicateLevers,
)
from worker_plan.steps.enrich_levers import BATCH, EnrichLevers

COUNT = 2 * BATCH + 1


@pytest.fixture
def task(a_copy: Callable[[type[Step]], Step]) -> Step:
    """Return the step on a plan with two batches and one more lever."""
    step = a_copy(EnrichLevers)
    levers = [
        DeduplicatedLever(
            lever_id=f"id-{n}", name=f"Lever {n}", consequences="C.", options=["A", "B", "C"],
            review="R.", deduplication_justification="Kept.",
        )
        for n in range(COUNT)
    ]  # fmt: skip
    DeduplicateLevers.raw.save(Path(step.run_dir), DeduplicatedLevers(deduplicated_levers=levers))
    return step


def shown(call: Call[Any]) -> list[dict[str, Any]]:
    """Return the levers that a call asks to explain."""
    levers: list[dict[str, Any]] = json.loads(
        call.user.partition("<levers>\n")[2].partition("\n</levers>")[0]
    )
    return levers


def explained(call: Call[Any]) -> dict[str, Any]:
    """Explain every lever that is shown."""
    return {
        "characterizations": [
            {"lever_id": one["lever_id"], "description": f"What {one['name']} is.",
             "synergy_text": "S.", "conflict_text": "K."}
            for one in shown(call)
        ]
    }  # fmt: skip


def test_levers_are_explained_in_batches(task: Step) -> None:
    """Every lever is in one batch; each call shows the names of all of them."""
    ask = Scripted(explained)
    written = carry_out(task, ask)["002-12-enriched_levers_raw.json"]
    calls = sorted(ask.calls, key=lambda call: call.key)
    assert [len(shown(call)) for call in calls] == [BATCH, BATCH, 1]
    assert all(f"Lever {n}" in call.user for call in calls for n in range(COUNT))
    assert "Kept." not in ask.sent
    assert [(one.name, one.description) for one in written.characterized_levers] == [
        (f"Lever {n}", f"What Lever {n} is.") for n in range(COUNT)
    ]


def test_failed_batch_costs_its_levers(task: Step) -> None:
    """The others are there in order, and the lost ones are named."""
    ask = Scripted(lambda call: FAILED if call.key == "batch_2" else explained(call))
    written = carry_out(task, ask)["002-12-enriched_levers_raw.json"]
    lost = [f"id-{n}" for n in range(BATCH, 2 * BATCH)]
    assert written.model_extra["not_characterized"] == lost
    assert len(written.characterized_levers) == COUNT - BATCH
    failures = [one.get("failure") for one in written.model_extra["metadata"]]
    assert failures == [None, "server: the model is down", None]


def test_explanation_of_an_unknown_lever_is_passed_over(task: Step) -> None:
    """Only ids of the list count."""
    extra = {"lever_id": "id-99", "description": "D.", "synergy_text": "S.", "conflict_text": "K."}

    def answer(call: Call[Any]) -> dict[str, Any]:
        return {"characterizations": [*explained(call)["characterizations"], extra]}

    written = carry_out(task, Scripted(answer))["002-12-enriched_levers_raw.json"]
    assert len(written.characterized_levers) == COUNT


def test_nothing_explained_is_a_failure(task: Step) -> None:
    """The first failure is reported."""
    with pytest.raises(StepError, match=f"none of {COUNT} levers was explained: server"):
        carry_out(task, Scripted(lambda _: FAILED))
