"""Faults and gaps in records, each by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from prompt_lab.record import Run
from self_improve.comparison.sides import whole_sides
from self_improve.errors import UsageError
from self_improve.measures.measurer import Measurer
from self_improve.records.run_reading import read
from self_improve.records.soundness import soundness
from tests.prompt_lab.test_lfs import POINTER
from tests.self_improve.subjects import (
    CLEAN,
    STEP,
    attempt,
    lever,
    levers,
    ok,
    older_run,
    rubric,
    run,
    use,
)  # fmt: skip

TWO = [lever("Boat"), lever("Mooring")]


def older(tmp_path: Path, number: int = 7, **more: object) -> Path:
    """Return a run of the older form with two plans."""
    path = tmp_path / "history" / "0" / f"{number:02d}_{STEP}"
    return older_run(path, {"boat": TWO, "moor": TWO}, **more)  # type: ignore[arg-type]


def finished(tmp_path: Path, number: int = 8) -> Path:
    """Return a finished run of today's form."""
    path = tmp_path / "history" / "0" / f"{number:02d}_{STEP}"
    asked = [attempt("boat", "first", levers("A"), started=str(number))]
    return run(path, {"boat": TWO}, asked, evidence={"kind": "real", "reasons": []})


def test_an_artifact_that_was_changed_makes_a_finished_run_no_evidence(tmp_path: Path) -> None:
    """It is called historical, altered, by the name of the file; and refused by comparisons."""
    path = finished(tmp_path)
    assert read(path, rubric()).evidence == "real"
    (path / "outputs" / "boat" / CLEAN).write_text(json.dumps([lever("Better")]))
    reading = read(path, rubric())
    assert reading.evidence == "historical"
    assert f"0/08_{STEP} is altered: outputs/boat/{CLEAN} was changed" in reading.reasons[0]
    with pytest.raises(UsageError, match=f"0/08_{STEP} is altered"):
        whole_sides([finished(tmp_path, 9)], [path], Measurer(rubric()))


def test_outputs_that_are_missing_are_no_failures_of_the_cells(tmp_path: Path) -> None:
    """An incomplete checkout is refused by name."""
    path = older(tmp_path)
    for one in (path / "outputs" / "moor").iterdir():
        one.unlink()
    (path / "outputs" / "moor").rmdir()
    assert "the outputs of moor are missing" in soundness(Run(path)).missing[0]
    with pytest.raises(UsageError, match="incomplete checkout"):
        whole_sides([older(tmp_path, 9)], [path], Measurer(rubric()))


def test_a_torn_line_in_the_middle_of_an_older_record_is_named(tmp_path: Path) -> None:
    """The cell of that line is unknown; a torn last line is what a killed writer leaves."""
    path = older(tmp_path)
    rows = [json.dumps(ok(plan)) for plan in ("boat", "moor")]
    (path / "outputs.jsonl").write_text(f"{rows[0][:20]}\n{rows[1]}\n")
    assert soundness(Run(path)).faults == (
        "outputs.jsonl is torn at line 1: the outcome of a cell is unknown",
    )
    (path / "outputs.jsonl").write_text(f"{rows[0]}\n{rows[1][:20]}")
    state = soundness(Run(path))
    assert state.faults == ()
    assert "last line of outputs.jsonl is torn" in state.notes[0]


def test_a_torn_line_that_a_session_left_behind_is_only_noted(tmp_path: Path) -> None:
    """The next session records its cell again."""
    path = finished(tmp_path)
    (path / "done.json").unlink()
    rows = (path / "outputs.jsonl").read_text()
    (path / "outputs.jsonl").write_text(f"{rows[:20]}\n{rows}")
    state = soundness(Run(path))
    assert state.faults == ()
    assert "torn at line 1" in state.notes[0]


@pytest.mark.parametrize("content", ['"hello"', "[1, 2, 3]", "7", "null", '["a", "b"]'])
def test_json_of_another_kind_is_no_success(tmp_path: Path, content: str) -> None:
    """The step's items are objects, and what has no field cannot be measured."""
    path = older(tmp_path)
    (path / "outputs" / "boat" / CLEAN).write_text(content)
    measured = Measurer(rubric(use("duplicate_names", "name"))).run(path)
    assert [(c.plan, c.succeeded, c.failure_kind) for c in measured.cells] == [
        ("boat", False, "wrong_kind"), ("moor", True, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("stopped", "word", "why"),
    [
        ("decided", "REJECT", "it was decided"),
        ("futile", "INCONCLUSIVE", "the remaining cells would hardly have decided it"),
        ("decided", "INCONCLUSIVE", "the remaining cells would hardly have decided it"),
    ],
)
def test_a_run_that_was_stopped_early_says_so(
    tmp_path: Path, stopped: str, word: str, why: str
) -> None:
    """With the reason, also in older records, and with the number of cells that were not run."""
    path = finished(tmp_path)
    done = json.loads((path / "done.json").read_text())
    done |= {"stopped": stopped, "cells": {"not_run": [["moor", 0]]}, "decision": {"word": word}}
    del done["seal"]
    (path / "done.json").write_text(json.dumps(done))
    assert f"stopped early because {why}, 1 cell not run" in soundness(Run(path)).notes[0]


def test_a_pointer_in_a_baseline_plan_is_refused_by_name(tmp_path: Path) -> None:
    """It is not a failed cell of the side before."""
    plan = tmp_path / "baseline" / "train" / "boat"
    plan.mkdir(parents=True)
    (plan / CLEAN).write_bytes(POINTER)
    (tmp_path / "baseline" / "train" / "moor").mkdir()
    with pytest.raises(UsageError, match="git lfs pull"):
        whole_sides([], [older(tmp_path)], Measurer(rubric()))
