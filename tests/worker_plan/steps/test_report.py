"""The report: everything on one page, its gaps at the top, nothing of it alive."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out, shared
from tests.worker_plan.test_language import ARABIC, JAPANESE
from tests.worker_plan.whole_plan import put_what_is_read
from worker_plan.artifact import Input
from worker_plan.markdown import document, gaps
from worker_plan.outline import Entry
from worker_plan.schedule import Schedule
from worker_plan.steps.report import Report, facts, phases

HOSTILE = '</script><script>alert(1)</script> <img src=x onerror="alert(2)">'


def report(run_dir: Path, **texts: str) -> str:
    """Return the report of a plan with these texts."""
    put_what_is_read(Report, run_dir, **texts)

    def no_model(_: Any) -> Any:
        raise AssertionError("the report calls no model")

    written = carry_out(Report(run_dir=str(run_dir)), Scripted(no_model))
    html: str = written["030-report.html"]
    return html


def test_every_text_is_there_and_in_the_contents(tmp_path: Path) -> None:
    """Each part has one entry in the contents, which leads to it."""
    html = report(tmp_path)
    for name, declared in vars(Report).items():
        if isinstance(declared, Input) and declared.artifact.name.endswith(".md"):
            assert f"Text of {name}." in html
    for text in ("A bakery on a canal boat.", "Measure the hatch", "Heavy, hot"):
        assert text in html
    nav = html.split("<nav")[1].split("</nav>")[0]
    linked = re.findall(r'href="#([^"]*)"', nav)
    assert linked == re.findall(r'<details class="part" id="([^"]*)"', html)
    assert len(set(linked)) == len(linked) == 22


def test_gaps_are_counted_at_the_top_and_marked_in_their_parts(tmp_path: Path) -> None:
    """Each note can be reached from the top; a whole plan has no such box."""
    holed = document([*gaps(["Anna"]), "Text.", "", *gaps(["Bo"])])
    html = report(tmp_path, team=holed, premortem=holed)
    assert "4 gaps in this plan." in html
    top = html.split('<aside class="gaps"')[1].split("</aside>")[0]
    for anchor in re.findall(r'href="#([^"]*)"', top):
        assert f'id="{anchor}"' in html
    assert html.count('</h3><span class="badge">Incomplete</span>') == 2
    assert "1 gap in this plan." in report(tmp_path, swot=document(gaps(["x"])))
    assert 'class="gaps"' not in report(tmp_path)


def test_hostile_texts_are_shown_and_do_nothing(tmp_path: Path) -> None:
    """In titles, names of tasks, the plan and Markdown alike."""
    quoted = HOSTILE.replace('"', '""')
    row = f'"{quoted}"'
    html = report(
        tmp_path,
        plan=HOSTILE,
        level1=HOSTILE,
        team=f"# {HOSTILE}\n\n{HOSTILE}\n\n[x](javascript:alert(3))",
        work_breakdown=f"Level 1;Level 2;Task ID\n;{row};a\n",
        create_schedule="project_key,project_name,project_description,project_start_date,"
        f"project_end_date,project_parent\na,{row},{row},3/2/2026,3/4/2026,\n",
    )
    assert "<img" not in html
    assert "<script>alert" not in html
    assert 'href="javascript' not in html
    assert html.count("&lt;img") >= 7


@pytest.mark.parametrize(
    ("plan", "opening"),
    [(ARABIC, '<html dir="rtl">'), (JAPANESE, '<html dir="ltr" lang="ja">')],
)
def test_page_runs_as_the_plan_is_written(tmp_path: Path, plan: str, opening: str) -> None:
    """The plan decides, not what models made of it."""
    assert opening in report(tmp_path, plan=plan)


def test_long_text_is_there_in_full(tmp_path: Path) -> None:
    """A text of 200 kB makes a long page and nothing worse."""
    long = f"{'naïve 猫 ' * 20_000}end."
    assert long in report(tmp_path, plan=long, team=long)


def test_phases_hold_what_stands_below_them() -> None:
    """The plan as a whole is left out; work without a phase above it is still shown."""

    def written(*rows: tuple[int, str]) -> list[tuple[str, list[str]]]:
        texts = phases([Entry(depth=depth, name=name) for depth, name in rows])
        return [(phase.name, [task.name for task in phase.tasks]) for phase in texts]

    assert written((0, "all"), (1, "a"), (2, "b"), (3, "c"), (1, "d")) == [
        ("a", ["b", "c"]),
        ("d", []),
    ]
    assert written((2, "b"), (3, "c")) == [("b", ["c"])]
    assert written() == []


def test_plan_without_tasks_has_no_dates() -> None:
    """An empty schedule is reported by its part, not by made-up facts."""
    assert facts(Schedule()) == []


@pytest.mark.parametrize("split", ["train", "verify"])
def test_report_is_made_of_recorded_plans(tmp_path: Path, split: str) -> None:
    """Plans of another pipeline have a report too."""
    for archive in sorted(shared("recorded", "baseline", split).glob("*.zip"))[:1]:
        with zipfile.ZipFile(archive) as files:
            names = {artifact.name for artifact in Report.reads()}
            for name in files.namelist():
                if Path(name).name in names:
                    (tmp_path / Path(name).name).write_bytes(files.read(name))
        written = carry_out(Report(run_dir=str(tmp_path)), Scripted(lambda _: None))
        assert written["030-report.html"].count('<details class="part"') == 22
