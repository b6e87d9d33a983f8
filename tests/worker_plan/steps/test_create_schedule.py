"""The schedule of a plan: from its start, with corrections reported in table and page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.recorded import plans
from tests.worker_plan.steps.prepared import prepared
from tests.worker_plan.steps.work import tree
from worker_plan.errors import StepError
from worker_plan.schedule import Schedule, read_csv
from worker_plan.steps.create_schedule import CreateSchedule

PAGE, TABLE = "026-2-schedule_gantt_dhtmlx.html", "026-3-schedule_gantt_machai.csv"


def start(local: str) -> dict[str, str]:
    """Return the start of a plan."""
    return {
        "server_iso_utc": "2026-03-01T23:30:00Z", "server_iso_local": local,
        "server_timezone_name": "CET",
    }  # fmt: skip


def estimate(task: str, days: int) -> dict[str, Any]:
    """Return an estimate in which nothing is open."""
    return {"task_id": task, "days_min": days, "days_max": days, "days_realistic": days}


def wait(task: str, *others: str) -> dict[str, Any]:
    """Return a dependency."""
    return {"dependent_task_id": task, "depends_on_task_id_list": others}


def written(run_dir: Path, *waits: dict[str, Any], local: str) -> tuple[Schedule, str]:
    """Return the schedule and the page of the small plan, in which one task has no estimate."""
    step = prepared(
        CreateSchedule, run_dir,
        StartTime=start(local), CreateWbsLevel1="Bakery",
        IdentifyTaskDependencies={"task_dependency_details": waits},
        EstimateTaskDurations=[estimate("buy", 10), estimate("mend", 4)],
        WbsProjectLevel1AndLevel2AndLevel3=tree(mend=["saw", "paint"]),
    )  # fmt: skip
    out = carry_out(step, Scripted(lambda _: FAILED))
    return read_csv(out[TABLE]), out[PAGE]


def test_tasks_follow_from_the_start_of_the_plan(tmp_path: Path) -> None:
    """It is the day where the plan was started; pieces share the days of their task."""
    schedule, page = written(
        tmp_path, wait("mend", "buy"), wait("fit", "mend"), local="2026-03-02T00:30:00+01:00"
    )
    assert [(t.task_id, t.start.isoformat(), t.days, t.critical) for t in schedule.tasks] == [
        ("top", "2026-03-02", 21, True),
        ("hull", "2026-03-02", 14, True),
        ("buy", "2026-03-02", 10, True),
        ("mend", "2026-03-12", 4, True),
        ("saw", "2026-03-12", 2, True),
        ("paint", "2026-03-14", 2, True),
        ("oven", "2026-03-16", 7, True),
        ("fit", "2026-03-16", 7, True),
    ]
    note = "No usable estimate: 7 days taken, the median of the other estimates."
    assert schedule.tasks[-1].notes == (note,)
    assert note in page


def test_circle_is_reported_in_table_and_page(tmp_path: Path) -> None:
    """So that somebody can decide which dependency was wrong."""
    schedule, page = written(
        tmp_path, wait("buy", "fit"), wait("fit", "buy"), wait("mend", "gone"), local="2026-03-02"
    )
    notes = {t.task_id: t.notes for t in schedule.tasks}
    assert notes["buy"] == ("The dependency on 'Fit' is dropped: it closes a circle.",)
    assert notes["mend"] == ("A dependency is dropped: there is no task 'gone'.",)
    assert "The dependency on &#39;Fit&#39; is dropped: it closes a circle." in page
    assert "there is no task &#39;gone&#39;" in page


def test_start_that_is_no_date_is_a_failure(tmp_path: Path) -> None:
    """A schedule from some other day would be worse than none."""
    with pytest.raises(StepError, match="'tomorrow' is not a date"):
        written(tmp_path, local="tomorrow")


def test_recorded_plans_have_a_schedule(tmp_path: Path) -> None:
    """Plans of another pipeline, with its estimates and dependencies."""
    for plan in plans(*(artifact.name for artifact in CreateSchedule.reads())):
        for name, content in plan.items():
            (tmp_path / name).write_bytes(content)
        out = carry_out(CreateSchedule(run_dir=str(tmp_path)), Scripted(lambda _: FAILED))
        schedule = read_csv(out[TABLE])
        assert len(schedule.tasks) > 100
        assert schedule.days > 30
        assert 0 < sum(task.critical is True for task in schedule.tasks) < len(schedule.tasks)
