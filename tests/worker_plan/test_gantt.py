"""The chart: everything in the table, and nothing that a name holds comes alive."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import pytest

from worker_plan.gantt import fragment
from worker_plan.page import page
from worker_plan.schedule import Schedule, ScheduledTask

HOSTILE = "</script><script>alert(1)</script><!--\u2028<img src=x onerror='alert(2)'>&amp;"
START = date(2026, 3, 2)


def task(name: str, days: int = 5, **facts: Any) -> ScheduledTask:
    """Return a task that begins at once; its id is its name."""
    end = START + timedelta(days=days)
    usual: dict[str, Any] = {"task_id": name, "name": name, "start": START, "end": end}
    return ScheduledTask(**usual | facts)


def chart(*tasks: ScheduledTask) -> str:
    """Return the chart of these tasks."""
    return str(fragment(Schedule(tasks=tasks)).html)


def data(html: str) -> list[dict[str, Any]]:
    """Return what the script is given."""
    [match] = re.findall(
        r'(?s)<script type="application/json" id="gantt-data">(.*?)</script>', html
    )
    bars: list[dict[str, Any]] = json.loads(match)
    return bars


class Elements(HTMLParser):
    """Notes the elements of a page, and the events that they would react to."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.events: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.names.append(tag)
        self.events += [name for name, _ in attrs if name.startswith("on")]


def test_hostile_names_stay_text() -> None:
    """In the table, the notes, and the data for the script, which gets them as they are."""
    one = task(HOSTILE, description=HOSTILE, notes=(HOSTILE,))
    html = chart(one, task("b", depends_on=(HOSTILE,)), task("c", days=9999, task_id=HOSTILE * 2))
    result = Elements(html)
    assert result.names.count("script") == 1
    assert "img" not in result.names
    assert result.events == []
    assert "\u2028" not in html.split('id="gantt-data"')[1].split("</script>")[0]
    bar = data(html)[0]
    assert (bar["name"], bar["description"]) == (HOSTILE, HOSTILE)


def test_ids_of_models_reach_no_script() -> None:
    """Bars have numbers, and wait for bars that are there."""
    html = chart(task("a b,c"), task("d", depends_on=("a b,c", "gone")))
    assert [(bar["id"], bar["after"]) for bar in data(html)] == [("t0", []), ("t1", ["t0"])]


def test_table_has_every_task_without_a_script() -> None:
    """With its days, what it waits for, its depth, and whether it is critical."""
    html = chart(
        task("Bakery", 9, critical=True),
        task("Hull", 9, parent_id="Bakery", critical=True),
        task("Oven", 2, parent_id="Bakery", depends_on=("Hull",), critical=False),
    )
    rows = re.findall(r'(?s)<tr class="([^"]*)">(.*?)</tr>', html)
    cells = [[kind, *re.sub(r"<[^>]+>|\s+", " ", row).split()] for kind, row in rows]
    assert cells == [
        ["depth-0 critical", "Bakery", "2026-03-02", "2026-03-10", "9"],
        ["depth-1 critical", "Hull", "2026-03-02", "2026-03-10", "9"],
        ["depth-1", "Oven", "2026-03-02", "2026-03-03", "2", "Hull"],
    ]
    assert '<details id="gantt-table" class="schedule-table" open>' in html


def test_notes_are_shown() -> None:
    """What was dropped or assumed is reported with the name of the task."""
    html = chart(task("Hull", notes=("The dependency on 'Oven' is dropped.",)), task("Oven"))
    assert "What was put right to make a schedule: 1 task" in html
    assert "<bdi>Hull</bdi>: The dependency on &#39;Oven&#39; is dropped." in html
    assert "What was put right" not in chart(task("Hull"))


def test_bar_that_the_library_would_leave_out_is_named() -> None:
    """It draws nothing that takes longer than ten years."""
    html = chart(task("Cathedral", 50_000), task("Hut", 3650))
    assert [bar["name"] for bar in data(html)] == ["Hut"]
    assert "<bdi>Cathedral</bdi>" in html.split("Too long for the chart")[1].split("</p>")[0]


def test_task_without_a_day_ends_where_it_begins() -> None:
    """Recorded schedules have such tasks, on the first and the last day of the calendar too."""
    for day in (date.min, START, date.max):
        [bar] = data(chart(task("a", start=day, end=day)))
        assert (bar["start"], bar["end"]) == (day.isoformat(), day.isoformat())


def test_critical_tasks_are_not_counted_where_they_are_not_known() -> None:
    """Other pipelines do not say which they are."""
    assert "Critical" not in chart(task("a"))
    assert "Critical" in chart(task("a", critical=True))


def test_no_task_is_said() -> None:
    """An empty schedule has neither chart nor table."""
    html = chart()
    assert "The schedule holds no task." in html
    assert "gantt-data" not in html


def test_style_and_script_are_the_same_for_every_schedule() -> None:
    """So a page can allow just them; and they end no element early."""
    one, other = fragment(Schedule()), fragment(Schedule(tasks=(task(HOSTILE),)), "rtl")
    assert (one.css, one.script) == (other.css, other.script)
    html = page(
        "gantt_page.html", written_like="a", styles=[one.css], scripts=[one.script],
        title=HOSTILE, body=other.html,
    )  # fmt: skip
    assert Elements(html).names.count("script") == 2
    assert '<div class="schedule" dir="rtl">' in html


@pytest.mark.parametrize("name", ["frappe-gantt.umd.js", "frappe-gantt.css"])
def test_library_is_here_with_its_licence(name: str) -> None:
    """A page needs no network, and the licence travels with the library."""
    vendored = resources.files("worker_plan").joinpath("vendor", "frappe_gantt")
    text = vendored.joinpath(name).read_text()
    assert "sourceMappingURL" not in text
    assert set(re.findall(r"https?://[^\s\"'`)]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert "MIT License" in vendored.joinpath("LICENSE").read_text()
    assert name in vendored.joinpath("VERSION").read_text()
