"""Estimates: in batches, for the tasks that were shown, with numbers as they came."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from model_gateway.call import Call
from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from tests.worker_plan.steps.work import tree
from worker_plan.errors import StepError
from worker_plan.step import Detail
from worker_plan.steps.estimate_task_durations import BATCH, EstimateTaskDurations

COUNT = 2 * BATCH + 1
NAME = "022-2-task_durations.json"


def project() -> dict[str, Any]:
    """Return one phase with two batches of tasks and one more."""
    tasks = [{"id": f"id-{n}", "description": f"Task {n}"} for n in range(COUNT)]
    phase = {"id": "phase", "description": "Phase", "task_children": tasks}
    return {"wbs_project": {"id": "top", "description": "Bakery", "task_children": [phase]}}


def shown(call: Call[Any]) -> list[str]:
    """Return the short ids of the tasks that a call asks to estimate."""
    block = call.user.partition("<tasks>\n")[2].partition("\n</tasks>")[0]
    return [one["task_id"] for one in json.loads(block)]


def estimate(task: str, low: Any = 1, likely: Any = 2, high: Any = 3) -> dict[str, Any]:
    """Return an entry as a model gives it."""
    return {
        "task_id": task, "delay_risks": None, "mitigation_strategy": "M.",
        "days_min": low, "days_max": high, "days_realistic": likely,
    }  # fmt: skip


def good(call: Call[Any]) -> dict[str, Any]:
    """Estimate every task that is shown."""
    return {"task_details": [estimate(task) for task in shown(call)]}


@pytest.mark.parametrize(
    ("detail", "sizes"),
    [
        (Detail.ALL_DETAILS_BUT_SLOW, [BATCH, BATCH, 1]),
        (Detail.FAST_BUT_SKIP_DETAILS, [COUNT]),
        (Detail.PING_LLM, [COUNT]),
    ],
)
def test_tasks_are_estimated_in_batches(tmp_path: Path, detail: Detail, sizes: list[int]) -> None:
    """Each once, in their order, with a file for each batch; less detail is fewer calls."""
    prepared(EstimateTaskDurations, tmp_path, WbsProjectLevel1AndLevel2=project())
    ask = Scripted(good)
    written = carry_out(EstimateTaskDurations(run_dir=str(tmp_path), detail=detail), ask)
    assert sorted((len(shown(call)) for call in ask.calls), reverse=True) == sizes
    assert [one.task_id for one in written[NAME]] == [f"id-{n}" for n in range(COUNT)]
    for number, size in enumerate(sizes, start=1):
        assert len(written[f"022-1-{number}-task_durations_raw.json"]["task_details"]) == size


def test_failed_batch_costs_its_tasks(tmp_path: Path) -> None:
    """The lost ones are named beside the failure."""
    step = prepared(EstimateTaskDurations, tmp_path, WbsProjectLevel1AndLevel2=project())
    ask = Scripted(lambda call: FAILED if call.key == "batch_2" else good(call))
    written = carry_out(step, ask)
    raw = written["022-1-2-task_durations_raw.json"]
    assert raw["not_estimated"] == [f"id-{n}" for n in range(BATCH, 2 * BATCH)]
    assert raw["metadata"]["failure"] == "server: the model is down"
    assert len(written[NAME]) == COUNT - BATCH


def test_other_tasks_and_second_opinions_do_not_count(tmp_path: Path) -> None:
    """Not even tasks of other batches; numbers stay as they came, periods become days."""
    step = prepared(EstimateTaskDurations, tmp_path, WbsProjectLevel1AndLevel2=tree())
    details = [
        estimate("2.1", low=-4, likely=0.2, high="P2W"),
        estimate("2.1"),
        estimate("9.9"),
        estimate("1.1", low="soon"),
    ]
    written = carry_out(step, Scripted(lambda _: {"task_details": details}))
    [one] = written[NAME]
    assert (one.task_id, one.days_min, one.days_realistic, one.days_max) == ("fit", -4, 1, 14)
    raw = written["022-1-1-task_durations_raw.json"]
    assert (raw["unknown"], raw["not_estimated"]) == (["9.9"], ["buy", "mend"])


def test_nothing_estimated_is_a_failure(tmp_path: Path) -> None:
    """The first failure is reported."""
    step = prepared(EstimateTaskDurations, tmp_path, WbsProjectLevel1AndLevel2=tree())
    with pytest.raises(StepError, match="none of 3 tasks was estimated: server"):
        carry_out(step, Scripted(lambda _: FAILED))
