"""A schedule as a chart with bars, for a page of its own or as a part of another page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from typing import Any

from markupsafe import Markup

from worker_plan import page
from worker_plan.schedule import Schedule, ScheduledTask
from worker_plan.writing import Direction

_LIBRARY = "vendor/frappe_gantt"
# The library draws nothing for a task that takes longer.
_LONGEST_BAR_DAYS = 3650


@dataclass(frozen=True, kw_only=True)
class Gantt:
    """What a page needs to show the chart.

    `css` belongs into a `style` element, `script` into a `script` element after `html`; both are
    the same for every schedule. `html` is escaped. The library makes its elements from text: a
    page whose policy requires trusted types must allow the policy `default`, which `script` makes.
    """

    css: str
    script: str
    html: Markup


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A task as the table shows it. `last` is its last day."""

    task: ScheduledTask
    depth: int
    last: date
    after: tuple[str, ...]


def fragment(schedule: Schedule, language_direction: Direction = "ltr") -> Gantt:
    """Return the chart of `schedule`; below it stands a table that needs no script."""
    rows = _rows(schedule)
    drawn = [row for row in rows if row.task.days <= _LONGEST_BAR_DAYS]
    html = page.fragment(
        "gantt.html",
        direction=language_direction,
        rows=rows,
        first=schedule.start,
        last=max((row.last for row in rows), default=None),
        days=schedule.days,
        critical=sum(row.task.critical is True for row in rows),
        bars=_bars(drawn),
        not_drawn=[row.task.name for row in rows if row.task.days > _LONGEST_BAR_DAYS],
    )
    library = resources.files(__package__).joinpath(_LIBRARY)
    return Gantt(
        css=f"{library.joinpath('frappe-gantt.css').read_text()}\n{page.text_of('gantt.css')}",
        script=f"{library.joinpath('frappe-gantt.umd.js').read_text()}\n{page.text_of('gantt.js')}",
        html=html,
    )


def _rows(schedule: Schedule) -> list[_Row]:
    names = {task.task_id: task.name for task in schedule.tasks}
    depths: dict[str, int] = {}
    rows = []
    for task in schedule.tasks:
        depths[task.task_id] = depths.get(task.parent_id or "", -1) + 1
        rows.append(
            _Row(
                task=task,
                depth=depths[task.task_id],
                last=task.start if task.days < 1 else task.end - timedelta(days=1),
                after=tuple(names[other] for other in task.depends_on if other in names),
            )
        )
    return rows


def _bars(rows: list[_Row]) -> list[dict[str, Any]]:
    """Return the tasks as the script in `gantt.js` reads them; numbers stand for their ids."""
    number = {row.task.task_id: f"t{place}" for place, row in enumerate(rows)}
    return [
        {
            "id": number[row.task.task_id],
            "name": row.task.name,
            "description": row.task.description,
            "start": row.task.start.isoformat(),
            "end": row.last.isoformat(),
            "days": row.task.days,
            "after": [number[other] for other in row.task.depends_on if other in number],
            "depth": row.depth,
            "critical": row.task.critical is True,
        }
        for row in rows
    ]
