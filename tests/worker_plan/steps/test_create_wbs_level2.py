"""Phases and tasks: what can be used is kept with an id of its own, the rest is reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.create_wbs_level2 import CreateWbsLevel2


def phase(title: str, *tasks: str) -> dict[str, Any]:
    """Return a phase as a model gives it."""
    return {
        "major_phase_wbs_number": None,
        "major_phase_title": title,
        "subtasks": [{"subtask_wbs_number": "9.9", "subtask_title": task} for task in tasks],
    }


def written(run_dir: Path, *phases: dict[str, Any]) -> dict[str, Any]:
    """Return what the step makes of these phases."""
    ask = Scripted(lambda _: {"major_phase_details": phases})
    return carry_out(prepared(CreateWbsLevel2, run_dir, CreateWbsLevel1="Bakery"), ask)


def test_unusable_tasks_and_phases_are_reported(tmp_path: Path) -> None:
    """Without a title, twice in a phase, or without a task; the others keep their order."""
    out = written(
        tmp_path,
        phase("Hull", "Buy\nit", " ", "BUY IT", "Paint it"),
        phase("Empty"),
        phase("", "Orphan"),
        phase("Oven", "Buy it"),
    )
    phases = out["018-5-wbs_level2.json"]
    assert [(p.major_phase_title, [t.description for t in p.subtasks]) for p in phases] == [
        ("Hull", ["Buy it", "Paint it"]),
        ("Oven", ["Buy it"]),
    ]
    refused = [(one["title"], one["reason"]) for one in out["018-4-wbs_level2_raw.json"]["refused"]]
    assert refused == [
        ("", "no title"),
        ("BUY IT", "already in this phase"),
        ("Empty", "no task"),
        ("", "no title"),
    ]


def test_ids_differ_and_stay(tmp_path: Path) -> None:
    """The same title in two phases is two tasks; a second run gives the same ids."""
    phases = [phase("Oven", "Buy it"), phase("Oven", "Buy it", "Light it")]
    first, second = (written(tmp_path, *phases)["018-5-wbs_level2.json"] for _ in range(2))
    assert first == second
    ids = [p.id for p in first] + [t.id for p in first for t in p.subtasks]
    assert len(set(ids)) == 5


def test_no_usable_phase_is_a_failure(tmp_path: Path) -> None:
    """There is nothing to schedule then."""
    with pytest.raises(StepError, match="none of 1 phases has a title and a task"):
        written(tmp_path, phase("Empty"))
