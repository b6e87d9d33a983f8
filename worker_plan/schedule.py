"""When each task of a plan begins and ends, and the table that keeps it."""

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

    `critical` says whether any delay of it delays the end of the plan; None: not known. `notes`
    say what was put right to make a schedule of it.
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
    """The tasks in the order of the plan, parents before their children."""

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
        """How many days all of it spans."""
        return 0 if self.start is None or self.end is None else (self.end - self.start).days


def write_csv(schedule: Schedule) -> str:
    """Return the table that project tools import, with three columns of our own at its end.

    They hold the ids of the tasks to wait for, with spaces between them, whether the task is
    critical (yes, no, or nothing where that is not known), and one note a line.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for task in schedule.tasks:
        critical = "" if task.critical is None else "yes" if task.critical else "no"
        writer.writerow([
            task.task_id, cell(task.name), cell(task.description), _shown(task.start),
            _shown(task.end), 0, task.parent_id or "", _DEPARTMENT,
            " ".join(task.depends_on), critical, cell("\n".join(task.notes)),
        ])  # fmt: skip
    return out.getvalue()


def read_csv(table: str) -> Schedule:
    """Return the schedule that a table holds, also one without our own columns.

    There a task has the first one it waits for in the place of its parent, where it waits for any;
    a parent spans its children, so one that has ended when the task begins is none. Whether a
    task is critical cannot be told from it.

    Raises:
        PlanError: a column is missing, or a date cannot be read.
    """
    known: dict[str, ScheduledTask] = {}
    try:
        rows = csv.DictReader(io.StringIO(table, newline=""), restval="")
        missing = [name for name in COLUMNS[:5] if name not in (rows.fieldnames or ())]
        if missing:
            raise PlanError(f"The table of the schedule lacks {', '.join(missing)}.")
        for row in rows:
            task = _task(row)
            known.setdefault(task.task_id, task if "depends_on" in row else _resolved(task, known))
    except (csv.Error, ValueError) as error:
        raise PlanError(f"The table of the schedule cannot be read: {error}.") from error
    return Schedule(tasks=tuple(known.values()))


def _task(row: dict[str, str]) -> ScheduledTask:
    notes = text_of(row.get("notes", ""))
    return ScheduledTask(
        task_id=row["project_key"],
        name=text_of(row["project_name"]),
        description=text_of(row["project_description"]),
        parent_id=row.get("project_parent") or None,
        start=_read(row["project_start_date"]),
        end=_read(row["project_end_date"]),
        depends_on=tuple(row.get("depends_on", "").split()),
        critical=_CRITICAL.get(row.get("critical", "")),
        notes=tuple(notes.split("\n")) if notes else (),
    )


def _resolved(task: ScheduledTask, known: dict[str, ScheduledTask]) -> ScheduledTask:
    other = known.get(task.parent_id or "")
    if other is None or other.end > task.start or _within(task, other):
        return task
    return replace(task, parent_id=other.parent_id, depends_on=(other.task_id,))


def _within(task: ScheduledTask, other: ScheduledTask) -> bool:
    return other.start <= task.start and task.end <= other.end


def _shown(day: date) -> str:
    return f"{day.month}/{day.day}/{day.year:04d}"


def _read(day: str) -> date:
    month, date_, year = map(int, day.split("/"))
    return date(year, month, date_)
