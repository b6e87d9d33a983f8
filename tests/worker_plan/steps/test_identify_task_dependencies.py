"""Dependencies: short ids go to the model, real ones come out, and nothing is dropped silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from tests.worker_plan.steps.work import LEVEL_2
from worker_plan.errors import StepError
from worker_plan.steps.identify_task_dependencies import IdentifyTaskDependencies, TaskDependencies

NAME = "021-task_dependencies_raw.json"


def entry(task: str, *others: str, explained: int = 9) -> dict[str, Any]:
    """Return an entry of a model's reply, with at most `explained` explanations."""
    return {
        "dependent_task_id": task,
        "depends_on_task_id_list": list(others),
        "depends_on_task_explanation_list": [f"Because of {one}." for one in others][:explained],
    }


def dependencies(run_dir: Path, *entries: dict[str, Any]) -> TaskDependencies:
    """Return what the step makes of these entries."""
    ask = Scripted(lambda _: {"task_dependency_details": entries})
    step = prepared(IdentifyTaskDependencies, run_dir, CreateWbsLevel2=LEVEL_2)
    result: TaskDependencies = carry_out(step, ask)[NAME]
    shown = ask.calls[0].user.partition("<tasks>\n")[2].partition("\n</tasks>")[0]
    assert [one["task_id"] for one in json.loads(shown)] == ["1.1", "1.2", "2.1"]
    return result


def test_short_ids_become_the_ids_of_tasks(tmp_path: Path) -> None:
    """Explanations stay with what they explain; a missing one is empty."""
    result = dependencies(tmp_path, entry("1.2", "1.1"), entry(" 2.1 ", "1.1", "1.2", explained=1))
    assert [one.model_dump() for one in result.task_dependency_details] == [
        {
            "dependent_task_id": "mend",
            "depends_on_task_id_list": ["buy"],
            "depends_on_task_explanation_list": ["Because of 1.1."],
        },
        {
            "dependent_task_id": "fit",
            "depends_on_task_id_list": ["buy", "mend"],
            "depends_on_task_explanation_list": ["Because of 1.1.", ""],
        },
    ]
    assert (result.model_extra or {})["not_mentioned"] == ["buy"]


def test_what_is_dropped_is_reported(tmp_path: Path) -> None:
    """Unknown tasks, tasks that wait for themselves, and what was named already."""
    result = dependencies(
        tmp_path, entry("2.1", "9.9", "1.1", "2.1"), entry("7", "1.1"), entry("2.1", "1.1")
    )
    [one] = result.task_dependency_details
    assert one.depends_on_task_id_list == ["buy"]
    assert one.depends_on_task_explanation_list == ["Because of 1.1."]
    dropped = [
        (d["dependent_task_id"], d.get("depends_on_task_id"), d["reason"])
        for d in (result.model_extra or {})["dropped"]
    ]
    assert dropped == [
        ("2.1", "9.9", "unknown task"),
        ("2.1", "2.1", "waits for itself"),
        ("7", None, "unknown task"),
        ("2.1", "1.1", "named already"),
    ]


def test_nothing_about_the_plan_is_a_failure(tmp_path: Path) -> None:
    """Entries for unknown tasks are not dependencies."""
    with pytest.raises(StepError, match="none of 1 entries names a task of the plan"):
        dependencies(tmp_path, entry("task A", "task B"))
