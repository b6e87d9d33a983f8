"""The schedule of a plan, and its table in CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, replace
from datetime import date

from worker_plan.errors import PlanError
from worker_plan.spreadsheet import cell, text_of

COLUMNS = (
    "project_key", "project_name", "project_description", "project_start_date",
    "project_end_date", "project_progress", "project_parent", "originating_department",
    "depends_on", "critical", "notes",
)  # fmt: skip
_DEPARTMENT = "Plumbline"
_CRITICAL = {"yes": True, "no": False}


@dataclass(frozen=True, kw_only=True)
class ScheduledTask:
    """A task with its days. `end` is the first day after it.

    `critical` says whether any delay of the task delays the end of the plan; None if unknown.
    `notes` say what was corrected to schedule it.
    """

    task_id: str
    name: str
    description: str = ""
    parent_id: str | None = None
    start: date
    end: date
    depends_on: tuple[str, ...] = ()
    critical: bool | None = None
    notes: tuple[str, ...] = ()

    @property
    def days(self) -> int:
        """How many days it spans."""
        return (self.end - self.start).days


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The tasks in the plan's sequence, parents before their children."""

    tasks: tuple[ScheduledTask, ...] = ()

    @property
    def start(self) -> date | None:
        """The first day of the first task."""
        return min((task.start for task in self.tasks), default=None)

    @property
    def end(self) -> date | None:
        """The first day after the last task."""
        return max((task.end for task in self.tasks), default=None)

    @property
    def days(self) -> int:
        """How many days the whole schedule spans."""
        return 0 if self.start is None or self.end is None else (self.end - self.start).days


def write_csv(schedule: Schedule) -> str:
    """Return the table that project tools import, with three columns of our own at its end.

    They contain the ids of the tasks to wait for, separated by spaces, whether the task is
    critical (yes, no, or empty if unknown), and the notes, one on each line.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for task in schedule.tasks:
        critical = "" if task.critical is None else "yes" if task.critical else "no"
        writer.writerow([
            task.task_id, cell(task.name), cell(task.description), _format_day(task.start),
            _format_day(task.end), 0, task.parent_id or "", _DEPARTMENT,
            " ".join(task.depends_on), critical, cell("\n".join(task.notes)),
        ])  # fmt: skip
    return out.getvalue()


def read_csv(table: str) -> Schedule:
    """Return the schedule in a table, also one without our own columns.

    In such a table, the parent of a task that waits for others is the first of them; a real
    parent spans its children, so one that ends before the task begins is not its parent. Which
    tasks are critical is then unknown.

    Raises:
        PlanError: a column is missing, or a date cannot be read.
    """
    tasks: dict[str, ScheduledTask] = {}
    try:
        rows = csv.DictReader(io.StringIO(table, newline=""), restval="")
        missing = [name for name in COLUMNS[:5] if name not in (rows.fieldnames or ())]
        if missing:
            raise PlanError(f"The table of the schedule lacks {', '.join(missing)}.")
        for row in rows:
            task = _task(row)
            tasks.setdefault(task.task_id, task if "depends_on" in row else _resolved(task, tasks))
    except (csv.Error, ValueError) as error:
        raise PlanError(f"The table of the schedule cannot be read: {error}.") from error
    return Schedule(tasks=tuple(tasks.values()))


def _task(row: dict[str, str]) -> ScheduledTask:
    notes = text_of(row.get("notes", ""))
    return ScheduledTask(
        task_id=row["project_key"],
        name=text_of(row["project_name"]),
        description=text_of(row["project_description"]),
        parent_id=row.get("project_parent") or None,
        start=_parse_day(row["project_start_date"]),
        end=_parse_day(row["project_end_date"]),
        depends_on=tuple(row.get("depends_on", "").split()),
        critical=_CRITICAL.get(row.get("critical", "")),
        notes=tuple(notes.split("\n")) if notes else (),
    )


def _resolved(task: ScheduledTask, earlier: dict[str, ScheduledTask]) -> ScheduledTask:
    other = earlier.get(task.parent_id or "")
    if other is None or other.end > task.start or _within(task, other):
        return task
    return replace(task, parent_id=other.parent_id, depends_on=(other.task_id,))


def _within(task: ScheduledTask, other: ScheduledTask) -> bool:
    return other.start <= task.start and task.end <= other.end


def _format_day(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year:04d}"


def _parse_day(day: str) -> date:
    month, date_, year = map(int, day.split("/"))
    return date(year, month, date_)
