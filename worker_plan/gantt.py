"""A schedule as a Gantt chart, on a page of its own or as part of another page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from importlib import resources
from typing import Any

from markupsafe import Markup

from worker_plan import page
from worker_plan.language import Direction
from worker_plan.schedule import Schedule, ScheduledTask

_LIBRARY = "vendor/frappe_gantt"
# The library does not draw longer tasks.
_LONGEST_BAR_DAYS = 3650


@dataclass(frozen=True, kw_only=True)
class Gantt:
    """What a page needs to show the chart.

    `css` belongs in a `style` element, `script` in a `script` element after `html`; both are
    the same for every schedule. `html` is escaped. The library creates elements from text: a
    page that requires trusted types must allow the policy `default`, which `script` creates.
    """

    css: str
    script: str
    html: Markup


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A task as a row of the table. `last` is its last day."""

    task: ScheduledTask
    depth: int
    last: date
    after: tuple[str, ...]


def fragment(schedule: Schedule, language_direction: Direction = "ltr") -> Gantt:
    """Return the chart of `schedule`, with a table below it that needs no script."""
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
    """Return the tasks as `gantt.js` reads them, with numbers in place of their ids."""
    number = {row.task.task_id: f"t{index}" for index, row in enumerate(rows)}
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
