"""Arranging tasks: what must hold for every network, circles and nonsense included."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker_plan.duration import DEFAULT_DAYS, Duration
from worker_plan.errors import PlanError
from worker_plan.schedule import Schedule, ScheduledTask
from worker_plan.task_network import Link, Task, arrange

START = date(2026, 3, 2)
Network = tuple[list[Task], list[Link]]


def task(name: str, days: int | None = None, parent: str | None = None) -> Task:
    """Return a task whose id is its name."""
    duration = None if days is None else Duration(days=days)
    return Task(task_id=name, name=name, parent_id=parent, duration=duration)


def link(name: str, after: str) -> Link:
    """Return a link."""
    return Link(task_id=name, after_id=after)


def days(schedule: Schedule) -> dict[str, tuple[int, int]]:
    """Return the first day of each task and the one after it, counted from the start."""
    return {t.task_id: ((t.start - START).days, (t.end - START).days) for t in schedule.tasks}


def lowest(schedule: Schedule) -> list[ScheduledTask]:
    """Return the tasks without children."""
    parents = {t.parent_id for t in schedule.tasks}
    return [t for t in schedule.tasks if t.task_id not in parents]


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """Draw trees of tasks with links between any of them, circles and unknown ids among them."""
    count = draw(st.integers(min_value=0, max_value=14))
    tasks = []
    for number in range(count):
        parent = draw(st.none() | st.integers(0, number - 1).map(str)) if number else None
        tasks.append(task(str(number), draw(st.none() | st.integers(1, 9)), parent))
    ids = st.integers(0, count).map(str)
    return tasks, draw(st.lists(st.builds(Link, task_id=ids, after_id=ids), max_size=25))


@given(networks())
def test_no_task_begins_before_what_it_waits_for_has_ended(network: Network) -> None:
    """Nor does any part of it."""
    schedule = arrange(*network, START)
    by_id = {t.task_id: t for t in schedule.tasks}
    for one in schedule.tasks:
        assert all(by_id[other].end <= one.start for other in one.depends_on)


@given(networks())
def test_parents_span_their_children(network: Network) -> None:
    """Exactly, and they stand before them."""
    schedule = arrange(*network, START)
    seen: dict[str, list[ScheduledTask]] = {}
    for one in schedule.tasks:
        seen[one.task_id] = []
        if one.parent_id is not None:
            seen[one.parent_id].append(one)
    for one in schedule.tasks:
        if children := seen[one.task_id]:
            assert one.start == min(child.start for child in children)
            assert one.end == max(child.end for child in children)


@given(networks())
def test_durations_add_up(network: Network) -> None:
    """The parts of a task with a duration share all of it, a day each at least, and follow."""
    tasks, _ = network
    schedule = arrange(*network, START)
    parent = {one.task_id: one.parent_id for one in tasks}
    given_days = {one.task_id: one.duration.days for one in tasks if one.duration}
    shared: dict[str, list[ScheduledTask]] = {}
    for one in lowest(schedule):
        above: list[str] = []
        at: str | None = one.task_id
        while at is not None:
            above, at = [*above, at], parent[at]
        owner = next((i for i in reversed(above) if i in given_days), None)
        if owner is None:
            assert one.days == DEFAULT_DAYS
        else:
            shared.setdefault(owner, []).append(one)
    for owner, parts in shared.items():
        assert sum(part.days for part in parts) == max(given_days[owner], len(parts))
        assert all(part.days >= 1 for part in parts)
        assert all(a.end <= b.start for a, b in pairwise(parts))


@given(networks())
def test_every_link_is_kept_or_noted(network: Network) -> None:
    """A circle costs links, never the schedule, and the same ones each time."""
    tasks, links = network
    schedule = arrange(tasks, links, START)
    assert arrange(tasks, links, START) == schedule
    assert len(schedule.tasks) == len(tasks)
    if not tasks:
        return
    by_id = {t.task_id: t for t in schedule.tasks}
    notes = [note for t in schedule.tasks for note in t.notes]
    for one in links:
        if one.task_id in by_id and one.after_id in by_id:
            note = f"The dependency on '{one.after_id}' is dropped: it closes a circle."
            followed = one.after_id in by_id[one.task_id].depends_on
            assert followed != (note in by_id[one.task_id].notes)
        else:
            assert any("there is no task" in note for note in notes)


@given(networks())
def test_every_task_begins_as_early_as_it_can(network: Network) -> None:
    """On the first day, or when something ends that it or a task around it waits for."""
    schedule = arrange(*network, START)
    by_id = {t.task_id: t for t in schedule.tasks}
    for one in lowest(schedule):
        reasons = {START}
        at: ScheduledTask | None = one
        while at is not None:
            reasons |= {by_id[other].end for other in at.depends_on}
            at = by_id[at.parent_id] if at.parent_id else None
        assert one.start == max(reasons)


@given(networks(), st.integers(0, 99))
def test_just_the_delay_of_a_critical_task_delays_the_end(network: Network, which: int) -> None:
    """A day more for any other task changes nothing."""
    tasks, links = network
    parents = {one.parent_id for one in tasks}
    tasks = [
        replace(one, duration=None if one.task_id in parents else one.duration or Duration(days=2))
        for one in tasks
    ]
    before = arrange(tasks, links, START)
    if not (leaves := lowest(before)):
        return
    chosen = leaves[which % len(leaves)]
    longer = Duration(days=chosen.days + 1)
    tasks = [replace(t, duration=longer) if t.task_id == chosen.task_id else t for t in tasks]
    after = arrange(tasks, links, START)
    assert before.end is not None
    assert after.end == before.end + timedelta(days=int(chosen.critical is True))


def test_link_between_groups_counts_for_their_parts() -> None:
    """The first part of the one begins after the last part of the other."""
    tasks = [
        task("top"), task("hull", 6, "top"), task("saw", None, "hull"), task("glue", None, "hull"),
        task("oven", 3, "top"), task("fire", None, "oven"), task("bake", 1, "top"),
    ]  # fmt: skip
    schedule = arrange(tasks, [link("oven", "hull")], START)
    assert days(schedule) == {
        "top": (0, 9), "hull": (0, 6), "saw": (0, 3), "glue": (3, 6),
        "oven": (6, 9), "fire": (6, 9), "bake": (0, 1),
    }  # fmt: skip
    critical = [one.task_id for one in schedule.tasks if one.critical]
    assert critical == ["top", "hull", "saw", "glue", "oven", "fire"]


@pytest.mark.parametrize(
    ("links", "dropped"),
    [
        ([("b", "a"), ("a", "b")], {"a": "b"}),
        ([("a", "b"), ("b", "a")], {"a": "b"}),
        ([("a", "c"), ("b", "a"), ("c", "b")], {"a": "c"}),
        ([("a", "a")], {"a": "a"}),
        ([("a", "b"), ("b", "c")], {}),
    ],
)
def test_circle_loses_what_points_against_the_order(
    links: list[tuple[str, str]], dropped: dict[str, str]
) -> None:
    """Links that point backwards outside of circles are kept."""
    schedule = arrange([task(n, 1) for n in "abc"], [link(*one) for one in links], START)
    dropped_links = {
        one.task_id: other
        for one in schedule.tasks
        for other in "abc"
        if f"The dependency on '{other}' is dropped: it closes a circle." in one.notes
    }
    assert dropped_links == dropped


def test_task_cannot_wait_for_what_it_is_part_of() -> None:
    """That is a circle, too."""
    schedule = arrange([task("a"), task("b", 2, "a")], [link("b", "a"), link("a", "b")], START)
    assert days(schedule) == {"a": (0, 2), "b": (0, 2)}
    assert all(one.notes for one in schedule.tasks)


def test_too_few_days_for_the_parts_are_raised_and_noted() -> None:
    """Each part has a day."""
    schedule = arrange([task("a", 1), task("b", None, "a"), task("c", None, "a")], [], START)
    assert days(schedule) == {"a": (0, 2), "b": (0, 1), "c": (1, 2)}
    assert schedule.tasks[0].notes == ("1 day made 2: each part takes at least 1.",)


def test_end_of_the_calendar_is_no_failure() -> None:
    """Later dates become its last day, and a note says so."""
    tasks = [task(str(number), 3_000_000) for number in range(3)]
    schedule = arrange(tasks, [link("1", "0"), link("2", "1")], START)
    assert [one.end for one in schedule.tasks] == [date.max] * 3
    assert all("last day that a calendar has" in one.notes[0] for one in schedule.tasks)


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([task("a"), task("a")], "The task 'a' has the id of an earlier one"),
        ([task("b", 1, "a"), task("a")], "The task 'b' comes before its parent"),
    ],
)
def test_broken_tree_is_refused(tasks: list[Task], message: str) -> None:
    """The message names the task."""
    with pytest.raises(PlanError, match=message):
        arrange(tasks, [], START)


def test_five_thousand_tasks_take_seconds() -> None:
    """With twice as many links at random, most of them in circles."""
    chance = random.Random(1)
    tasks = [task("top")]
    for number in range(1, 5000):
        parent = "top" if number % 10 == 1 else str((number - 1) // 10 * 10 + 1)
        tasks.append(task(str(number), number % 7 + 1, parent))
    ids = [one.task_id for one in tasks]
    links = [link(chance.choice(ids), chance.choice(ids)) for _ in range(2 * len(tasks))]
    began = time.process_time()
    schedule = arrange(tasks, links, START)
    assert time.process_time() - began < 5
    assert len(schedule.tasks) == len(tasks)
