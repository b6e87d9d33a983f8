"""The table of a schedule: what is written comes back, and tables of others are understood."""

from __future__ import annotations

import csv
import io
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker_plan.recorded import plans
from worker_plan.errors import PlanError
from worker_plan.schedule import Schedule, ScheduledTask, read_csv, write_csv

HEAD = (
    "project_key,project_name,project_description,project_start_date,project_end_date,"
    "project_progress,project_parent,originating_department\n"
)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
NOTES = st.lists(st.text("ab=-' ", min_size=1, max_size=5), max_size=3).map(tuple)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Draw schedules with texts of any kind."""
    tasks = []
    for number in range(draw(st.integers(0, 4))):
        earlier = [str(n) for n in range(number)]
        start = draw(st.dates(date(1, 1, 1), date(9990, 1, 1)))
        tasks.append(
            ScheduledTask(
                task_id=str(number),
                name=draw(TEXTS),
                description=draw(TEXTS),
                parent_id=draw(st.none() | st.sampled_from(earlier)) if earlier else None,
                start=start,
                end=start + timedelta(days=draw(st.integers(0, 900))),
                depends_on=tuple(n for n in earlier if draw(st.booleans())),
                critical=draw(st.none() | st.booleans()),
                notes=draw(NOTES),
            )
        )
    return Schedule(tasks=tuple(tasks))


@given(schedules())
def test_schedule_comes_back(schedule: Schedule) -> None:
    """Every field of every task, whatever is in its texts."""
    assert read_csv(write_csv(schedule)) == schedule


def test_table_has_the_recorded_columns_first() -> None:
    """With the dates as project tools import them, and formulas as text."""
    one = ScheduledTask(task_id="a", name="=1+1", start=date(2026, 3, 2), end=date(2026, 11, 30))
    table = write_csv(Schedule(tasks=(one,)))
    assert table.startswith(HEAD.rstrip() + ",")
    [row] = csv.DictReader(io.StringIO(table))
    assert (row["project_start_date"], row["project_end_date"]) == ("3/2/2026", "11/30/2026")
    assert row["project_name"] == "'=1+1"


def test_parent_that_has_ended_is_what_a_task_waits_for() -> None:
    """Tables without our columns have it in the place of the parent."""
    rows = (
        "a,A,,1/1/2026,1/9/2026,0,,x\nb,B,,1/1/2026,1/5/2026,0,a,x\nc,C,,1/5/2026,1/9/2026,0,b,x\n"
    )
    a, b, c = read_csv(HEAD + rows).tasks
    assert (a.parent_id, b.parent_id, c.parent_id) == (None, "a", "a")
    assert (b.depends_on, c.depends_on) == ((), ("b",))
    assert (a.critical, a.days) == (None, 8)


def test_recorded_tables_have_four_levels() -> None:
    """The tree that they were made of is found again, with the plan at its top."""
    name = "026-3-schedule_gantt_machai.csv"
    for plan in plans(name):
        levels: dict[str, int] = {}
        schedule = read_csv(plan[name].decode())
        for one in schedule.tasks:
            levels[one.task_id] = 1 + levels[one.parent_id] if one.parent_id else 0
        assert list(levels.values()).count(0) == 1
        assert max(levels.values()) == 3
        assert read_csv(write_csv(schedule)) == schedule


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("", "lacks project_key, project_name"),
        ("project_key\na\n", "lacks project_name"),
        (f"{HEAD}a,A,,2026-01-01,1/9/2026,0,,x\n", "cannot be read"),
        (f"{HEAD}a,A,,2/30/2026,1/9/2026,0,,x\n", "cannot be read"),
        (f"{HEAD}a\n", "cannot be read"),
    ],
)
def test_table_of_another_kind_is_refused(table: str, message: str) -> None:
    """The message says what is wrong with it."""
    with pytest.raises(PlanError, match=message):
        read_csv(table)


def test_nothing_is_no_days() -> None:
    """A schedule without tasks has neither a first day nor a last one."""
    empty = Schedule()
    assert (empty.start, empty.end, empty.days) == (None, None, 0)
    assert read_csv(write_csv(empty)) == empty
