"""Breaking tasks down: one call for each, and a call that fails costs one task."""

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
from worker_plan.steps.create_wbs_level3 import CreateWbsLevel3

NAME = "023-2-wbs_level3.json"
DURATIONS = [{"task_id": "mend", "days_min": 3, "days_max": 9, "days_realistic": 4}]
GIVEN = {"WbsProjectLevel1AndLevel2": tree(), "EstimateTaskDurations": DURATIONS}


def part(name: str, *resources: str) -> dict[str, Any]:
    """Return a piece of work as a model gives it."""
    return {"name": name, "description": None, "resources_needed": list(resources)}


def parts(call: Call[Any]) -> dict[str, Any]:
    """Break the task of a call down into two pieces, one of them twice."""
    name = task(call)["task"]
    return {
        "subtasks": [
            part(f"{name} a", "Saw ", " "),
            part(" "),
            part(f"{name} b"),
            part(f"{name} A"),
        ]
    }


def task(call: Call[Any]) -> dict[str, Any]:
    """Return the task that a call shows."""
    block = call.user.partition("<task>\n")[2].partition("\n</task>")[0]
    shown: dict[str, Any] = json.loads(block)
    return shown


def test_each_task_has_its_pieces(tmp_path: Path) -> None:
    """In the order of the tasks, each with an id of its own that stays."""
    ask = Scripted(parts)
    step = prepared(CreateWbsLevel3, tmp_path, **GIVEN)
    written, again = carry_out(step, ask), carry_out(step, ask)
    assert [(one.parent_id, one.name, one.resources_needed) for one in written[NAME]] == [
        ("buy", "Buy a", ["Saw"]), ("buy", "Buy b", []),
        ("mend", "Mend a", ["Saw"]), ("mend", "Mend b", []),
        ("fit", "Fit a", ["Saw"]), ("fit", "Fit b", []),
    ]  # fmt: skip
    assert len({one.id for one in written[NAME]}) == 6
    assert written[NAME] == again[NAME]
    raw = written["023-1-1-wbs_level3_raw.json"]
    assert (len(raw["subtasks"]), raw["kept"], raw["task_id"]) == (4, 2, "buy")


def test_estimate_is_shown_where_there_is_one(tmp_path: Path) -> None:
    """A task without one is broken down as well."""
    ask = Scripted(parts)
    carry_out(prepared(CreateWbsLevel3, tmp_path, **GIVEN), ask)
    shown = {task(call)["number"]: task(call).get("days_realistic") for call in ask.calls}
    assert shown == {"1.1": None, "1.2": 4, "2.1": None}


def test_failed_call_costs_one_task(tmp_path: Path) -> None:
    """The failure stands in the file of that task."""
    ask = Scripted(lambda call: FAILED if call.key == "task_1.2" else parts(call))
    written = carry_out(prepared(CreateWbsLevel3, tmp_path, **GIVEN), ask)
    assert {one.parent_id for one in written[NAME]} == {"buy", "fit"}
    raw = written["023-1-2-wbs_level3_raw.json"]
    assert (raw["subtasks"], raw["metadata"]["failure"]) == ([], "server: the model is down")


@pytest.mark.parametrize(
    ("detail", "tasks"),
    [(Detail.FAST_BUT_SKIP_DETAILS, {"buy", "fit"}), (Detail.PING_LLM, {"buy"})],
)
def test_less_detail_breaks_fewer_tasks_down(
    tmp_path: Path, detail: Detail, tasks: set[str]
) -> None:
    """The first one of each phase, or just the first one."""
    prepared(CreateWbsLevel3, tmp_path, **GIVEN)
    step = CreateWbsLevel3(run_dir=str(tmp_path), detail=detail)
    assert {one.parent_id for one in carry_out(step, Scripted(parts))[NAME]} == tasks


def test_nothing_broken_down_is_a_failure(tmp_path: Path) -> None:
    """The first failure is reported."""
    with pytest.raises(StepError, match="none of 3 tasks was broken down: server"):
        carry_out(prepared(CreateWbsLevel3, tmp_path, **GIVEN), Scripted(lambda _: FAILED))
