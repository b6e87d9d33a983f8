"""The command that measures runs, and what it prints and writes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from model_gateway.exits import OK, USAGE
from self_improve import command_line, evaluate
from self_improve.measures import store
from tests.self_improve import commands
from tests.self_improve.subjects import (
    CLEAN,
    STEP,
    attempt,
    failed,
    lever,
    levers,
    ok,
    older_run,
    run,
)

ITEMS = [lever("Boat"), lever("boat"), lever("Mooring"), lever("Winter")]
RUBRIC = f"""\
step: {STEP}
version: 3
why: to test with
clean: {{artifact: {CLEAN}}}
name_field: name
metrics:
  - {{metric: duplicate_names, weight: 0.5, scale: 0.1}}
  - {{metric: near_duplicates, fields: [review], scale: 0.1}}
  - {{metric: length_ratio, fields: [review], scale: 0.1}}
  - {{metric: latency, of: cell, scale: 1}}
"""


@pytest.fixture(autouse=True)
def _own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("PROMPT_LAB_DIR", raising=False)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Return a data repo with two older runs, and a rubric beside it."""
    (tmp_path / f"{STEP}.yaml").write_text(RUBRIC)
    history = tmp_path / "lab" / "history"
    rows = [ok("boat"), failed("moor", "ReadTimeout('')")]
    older_run(history / "1" / f"31_{STEP}", {"boat": ITEMS, "moor": None}, rows=rows)
    older_run(history / "1" / f"32_{STEP}", {"boat": ITEMS[1:], "moor": ITEMS}, model="qwen")
    return tmp_path / "lab"


def evaluated(lab: Path, *words: str | Path) -> commands.Ran:
    """Run the command on a data repo with the rubric of this module."""
    rubric = lab.parent / f"{STEP}.yaml"
    return commands.called(evaluate.main, ["--prompt-lab-dir", lab, "--rubric", rubric, *words])


def test_runs_are_named_by_number_slash_or_path(lab: Path) -> None:
    """All three mean the same run."""
    path = lab / "history" / "1" / f"31_{STEP}"
    rows = [json.loads(evaluated(lab, name, "--json").out) for name in ("131", "1/31", path)]
    assert [one["runs"][0]["path"] for one in rows] == [str(path)] * 3


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("133", "There is no run 133"),
        ("9/99", "There is no run 9/99"),
        ("somewhere", "somewhere is not a run: give a directory"),
    ],
)
def test_a_run_that_is_not_there_is_said_so(lab: Path, name: str, message: str) -> None:
    """With what would be a name."""
    ran = evaluated(lab, name)
    assert ran.code == USAGE
    assert message in ran.err


def test_a_number_that_two_runs_carry_is_not_guessed_at(lab: Path) -> None:
    """In older histories numbers collide between steps."""
    older_run(lab / "history" / "1" / "31_other_step", {})
    ran = evaluated(lab, "131")
    assert ran.code == USAGE
    assert "31_other_step" in ran.err


def test_the_table_tells_each_measure_with_its_worst_model_and_plan(lab: Path) -> None:
    """Failed cells count for success and for nothing else."""
    ran = evaluated(lab, "131", "132")
    assert ran.code == OK, ran.err
    head, evidence, *rest = ran.out.splitlines()
    assert head == f"{STEP} · rubric 3 · 2 runs · 3 of 4 cells succeeded"
    assert evidence.startswith("evidence: historical (")
    (names,) = [line.split() for line in rest if line.startswith("duplicate_names")]
    assert names[:6] == ["duplicate_names", "lower", "0.50", "0.167", "0.144", "3"]
    assert names[6:8] == ["llama", "0.250"]
    (lengths,) = [line.split() for line in rest if line.startswith("length_ratio")]
    assert lengths[3:6] == ["–", "–", "0"]
    assert any("failed:timeout 0.500" in line for line in rest if line.startswith("llama:"))


def test_json_has_every_cell_and_every_measure(lab: Path) -> None:
    """Under keys that only grow."""
    rows = json.loads(evaluated(lab, "131", "--json").out)
    assert rows.keys() >= {
        "schema_version",
        "step",
        "rubric_version",
        "evidence",
        "runs",
        "measures",
    }
    cells = rows["runs"][0]["cells"]
    assert [(cell["plan"], cell["succeeded"], cell["failure_kind"]) for cell in cells] == [
        ("boat", True, None), ("moor", False, "timeout"),
    ]  # fmt: skip
    assert cells[0]["values"]["duplicate_names"] == 0.25
    assert rows["measures"][0]["mean"] == 0.25


def test_a_table_of_all_values_can_be_written(lab: Path, tmp_path: Path) -> None:
    """One row a value; a cell that failed has one row without."""
    evaluated(lab, "131", "--csv", tmp_path / "cells.csv")
    with (tmp_path / "cells.csv").open() as file:
        rows = list(csv.DictReader(file))
    measured = {(row["plan"], row["measure"]): row["value"] for row in rows}
    assert measured["boat", "duplicate_names"] == "0.25"
    assert measured["moor", ""] == ""


def test_markdown_escapes_what_is_not_ours(lab: Path, tmp_path: Path) -> None:
    """The name of a model cannot break the table or bring a tag in."""
    path = older_run(tmp_path / "evil", {"boat": ITEMS}, model="a|b<script>\n# x")
    other = lab / "history" / "1" / f"31_{STEP}"
    evaluated(lab, path, other, "--markdown", tmp_path / "page.md")
    page = (tmp_path / "page.md").read_text()
    assert "<script>" not in page
    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len({line.replace("\\|", "").count("|") for line in table}) == 1


def test_explain_shows_what_made_a_number(lab: Path) -> None:
    """The cell, its value and the stretch of text, under a metric's name or a measure's."""
    for name in ("near_duplicates", "near_duplicates:review"):
        ran = evaluated(lab, "131", "--explain", name)
        assert ran.code == OK, ran.err
        assert "boat · llama: 0.25" in ran.out
        assert "[1].review  »What boat leaves open.«  (like [0].review" in ran.out


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("near_dupes", "Did you mean near_duplicates"),
        ("length_ratio", "its baseline plan"),
        ("success", "one number for a whole run"),
    ],
)
def test_explain_says_what_it_cannot_show(lab: Path, name: str, message: str) -> None:
    """An unknown name, and a measure that no text of the run makes."""
    ran = evaluated(lab, "131", "--explain", name)
    assert (ran.code, message in ran.err) == (USAGE, True)


def test_explain_tells_the_same_as_json(lab: Path) -> None:
    """A row for each cell, with all of its spans."""
    (row,) = evaluated(lab, "131", "--explain", "near_duplicates", "--json").json
    assert (row["plan"], row["model"], row["value"]) == ("boat", "llama", 0.25)
    (span,) = row["spans"]
    assert (span["where"], span["start"]) == ("[1].review", 0)
    assert span["text"][: span["end"]] == "What boat leaves open."


@pytest.mark.parametrize("more", [("--against", "132"), ("--csv", "x"), ("--markdown", "x")])
def test_explain_does_one_thing(lab: Path, more: tuple[str, str]) -> None:
    """What it would pass over is refused."""
    ran = evaluated(lab, "131", "--explain", "near_duplicates", *more)
    assert ran.code == USAGE
    assert "leave --against, --csv and --markdown out" in ran.err


def test_a_run_that_is_named_twice_is_measured_once(lab: Path) -> None:
    """By its number, with a slash and by its path."""
    path = lab / "history" / "1" / f"31_{STEP}"
    rows = evaluated(lab, "131", "1/31", path, "--json").json
    assert len(rows["runs"]) == 1


def test_a_reader_who_has_seen_enough_is_no_error(lab: Path) -> None:
    """Nothing is said when the other end of a pipe is closed, whenever that is noticed."""
    words = [sys.executable, "-m", "self_improve.evaluate", "--list-metrics"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(words, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_data_repo_of_the_environment_need_only_hold_a_history(
    lab: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As one that a flag names; if it holds none, that is said."""
    monkeypatch.setenv("PROMPT_LAB_DIR", str(lab))
    words = ["131", "--rubric", lab.parent / f"{STEP}.yaml"]
    assert commands.called(evaluate.main, words).code == OK
    monkeypatch.setenv("PROMPT_LAB_DIR", str(tmp_path / "gone"))
    ran = commands.called(evaluate.main, words)
    assert ran.code == USAGE
    assert f"PROMPT_LAB_DIR names {tmp_path / 'gone'}, which holds no history" in ran.err


def test_a_step_without_a_rubric_gets_one_from_its_record(tmp_path: Path) -> None:
    """From the schema of its replies and from what it wrote; the result is labelled simulated."""
    schema = {
        "type": "object",
        "properties": {
            "levers": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "review": {"type": "string"}},
                },
            }
        },
    }
    attempts = [attempt(plan, "k", levers("A", "A", "B"), schema=schema) for plan in "xyz"]
    path = run(tmp_path / "run", dict.fromkeys("xyz", ITEMS), attempts, provider="simulated")
    ran = commands.called(evaluate.main, [path])
    assert ran.code == OK, ran.err
    assert ran.out.startswith(f"SIMULATED {STEP} · rubric 1 · 1 run · 3 of 3 cells succeeded")
    assert "duplicate_names:name " in ran.out
    assert "template_lock" in ran.out


def test_what_was_measured_is_kept_outside_of_history(lab: Path) -> None:
    """The second time it is found in the user's cache directory, and history is as it was."""
    before = sorted(lab.rglob("*"))
    first = evaluated(lab, "131", "--json").out
    assert store.default_path().is_file()
    assert evaluated(lab, "131", "--json").out == first
    assert evaluated(lab, "131", "--json", "--no-store").out == first
    assert sorted(lab.rglob("*")) == before


def test_without_a_run_the_command_asks_for_one() -> None:
    """With an example."""
    ran = commands.called(evaluate.main, [])
    assert (ran.code, "Which run?" in ran.err) == (USAGE, True)


def test_all_metrics_can_be_listed() -> None:
    """With definition and settings."""
    ran = commands.called(evaluate.main, ["--list-metrics"])
    assert "template_lock\n    Share of a cell's 4-grams" in ran.out
    assert "Settings: plans = 3, tokens = 4." in ran.out


def test_a_rubric_that_is_broken_is_reported_with_all_its_problems(
    lab: Path, tmp_path: Path
) -> None:
    """And nothing is measured."""
    (tmp_path / f"{STEP}.yaml").write_text(RUBRIC.replace("weight", "wait").replace("why", "wy"))
    ran = evaluated(lab, "131")
    assert ran.code == USAGE
    assert "Did you mean weight" in ran.err
    assert "Did you mean why" in ran.err


def test_the_command_is_one_of_plumblines() -> None:
    """Its help names the examples, and comes without importing what measures."""
    code = (
        "import sys; from self_improve.command_line import main\n"
        "try: main(['evaluate', '--help'])\n"
        "except SystemExit: pass\n"
        "assert 'numpy' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert "plumbline evaluate" in done.stdout
    assert "--explain near_duplicates" in done.stdout
    assert command_line.COMMANDS["evaluate"].main == "self_improve.evaluate:main"


def value(rows: dict[str, Any], name: str) -> float:
    """Return the mean of a measure."""
    (measured,) = [row["mean"] for row in rows["measures"] if row["id"] == name]
    assert isinstance(measured, float)
    return measured


def test_baseline_plans_can_lie_elsewhere(lab: Path, tmp_path: Path) -> None:
    """Lengths are then held against those."""
    folder = tmp_path / "plans" / "boat"
    folder.mkdir(parents=True)
    (folder / CLEAN).write_text(json.dumps([{"name": "B", "review": "x"}]))
    ran = evaluated(lab, "131", "--baseline-dir", tmp_path / "plans", "--json")
    assert value(json.loads(ran.out), "length_ratio:review") > 1


def test_against_other_runs_the_comparison_speaks(lab: Path, tmp_path: Path) -> None:
    """With its own words, on the same rubric; and the files that were asked for are written."""
    path = older_run(tmp_path / "after", {"boat": ITEMS, "moor": ITEMS}, model="qwen")
    ran = evaluated(lab, path, "--against", "1/32", "--markdown", tmp_path / "page.md")
    assert ran.code == OK, ran.err
    assert "INCONCLUSIVE" in ran.out
    assert "INCONCLUSIVE" in (tmp_path / "page.md").read_text()


def test_a_run_can_be_held_against_the_baseline_plans(lab: Path, tmp_path: Path) -> None:
    """Wherever they lie."""
    folder = tmp_path / "plans" / "moor"
    folder.mkdir(parents=True)
    (folder / CLEAN).write_text(json.dumps(ITEMS))
    words = ["1/32", "--against", evaluate.BASELINE, "--baseline-dir", tmp_path / "plans"]
    ran = evaluated(lab, *words)
    assert ran.code == OK, ran.err
    assert "INCONCLUSIVE" in ran.out
