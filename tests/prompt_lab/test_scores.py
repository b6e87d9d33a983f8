"""The scoreboard remembers what was judged, once."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import pytest

from prompt_lab.errors import LabError
from prompt_lab.layout import Layout
from prompt_lab.scores import COLUMNS, Best, Score, Scores

ROW = Score(
    step="plan_type", date="2026-05-01", candidate="c1", baseline_score=0.0, candidate_score=1.5,
    best_score=None, delta=1.5, interval=(0.5, 2.5), verdict="YES", split="train",
    models=("llama", "haiku"), cost=None, commit="abc", iteration="it-1",
)  # fmt: skip


@pytest.fixture
def scores(tmp_path: Path) -> Scores:
    """Return the scores of an empty data repo."""
    return Scores(Layout(tmp_path))


def test_row_is_read_as_it_was_written(scores: Scores, tmp_path: Path) -> None:
    """Numbers, intervals, lists and unknown values survive the file."""
    added = scores.add(ROW, {"why": "better"})
    assert added == replace(ROW, best_score=1.5)
    assert scores.rows("plan_type") == [added]
    assert scores.rows("other") == []
    with Layout(tmp_path).scoreboard.open(newline="") as file:
        assert tuple(next(csv.reader(file))) == COLUMNS


def test_row_is_added_once(scores: Scores) -> None:
    """A phase that is repeated after a kill changes nothing."""
    scores.add(ROW, {})
    scores.add(replace(ROW, delta=9.0), {})
    assert [row.delta for row in scores.rows()] == [1.5]


def test_best_score_is_that_of_kept_candidates(scores: Scores) -> None:
    """A rejected candidate's score, however high, is not the best; nor is one of another step."""
    scores.add(replace(ROW, candidate_score=0.0, verdict="BASELINE"), {})
    scores.add(replace(ROW, iteration="it-2", candidate_score=7.0, verdict="NO"), {})
    scores.add(replace(ROW, iteration="it-3", step="other", candidate_score=8.0), {})
    third = scores.add(replace(ROW, iteration="it-4", candidate_score=2.0), {})
    assert third.best_score == 2.0
    assert scores.rows("plan_type")[1].best_score == 0.0


def test_rollback_sets_the_best_score_back(scores: Scores) -> None:
    """What comes after it is held against the best that was restored."""
    scores.add(replace(ROW, candidate_score=1.0), {})
    scores.add(replace(ROW, iteration="it-2", candidate_score=3.0), {})
    back = scores.add(replace(ROW, iteration="r", candidate_score=1.0, verdict="ROLLBACK"), {})
    after = scores.add(replace(ROW, iteration="it-3", candidate_score=2.0, verdict="NO"), {})
    assert (back.best_score, after.best_score) == (1.0, 1.0)
    assert [row["iteration"] for row in scores.history("plan_type")] == [
        "it-1",
        "it-2",
        "r",
        "it-3",
    ]


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x"])
def test_text_is_never_a_formula(scores: Scores, tmp_path: Path, name: str) -> None:
    """What a spreadsheet would run is marked as text in the file, and read as it was."""
    scores.add(replace(ROW, candidate=name), {})
    assert f",'{name}," in Layout(tmp_path).scoreboard.read_text()
    assert scores.rows()[0].candidate == name


def test_failed_attempt_is_added_once(scores: Scores) -> None:
    """By the name of its iteration; the log is read by step."""
    scores.add_failed("it-1/c1", {"step": "plan_type", "reasons": ["collapse"]})
    scores.add_failed("it-1/c1", {"step": "plan_type", "reasons": ["other"]})
    assert [row["reasons"] for row in scores.failed("plan_type")] == [["collapse"]]
    assert scores.failed("other") == []


def test_best_candidate_is_read_back(scores: Scores) -> None:
    """With its texts; before there is one there is none."""
    best = Best(
        step="plan_type", candidate="c1", score=1.5, commit="abc", pull_request="#3",
        iteration="it-1", texts={"m:P": "Text."}, simulated=True,
    )  # fmt: skip
    assert scores.best("plan_type") is None
    scores.set_best(best)
    assert scores.best("plan_type") == best


def test_damaged_file_is_reported(scores: Scores, tmp_path: Path) -> None:
    """Nothing is written over a file that cannot be read."""
    path = Layout(tmp_path).scoreboard
    path.parent.mkdir()
    path.write_text("step,date\nx,y\n")
    with pytest.raises(LabError, match="Restore it from git"):
        scores.add(ROW, {})
    assert path.read_text() == "step,date\nx,y\n"


def test_baseline_is_the_first_row_of_a_step_once(scores: Scores) -> None:
    """Of two iterations that begin at once, one writes it; a repetition changes nothing."""
    baseline = replace(ROW, candidate="baseline", candidate_score=0.0, verdict="BASELINE")
    scores.add_baseline(baseline)
    scores.add_baseline(baseline)
    scores.add_baseline(replace(baseline, iteration="it-2"))
    scores.add(ROW, {})
    scores.add_baseline(replace(baseline, iteration="it-3"))
    scores.add_baseline(replace(baseline, step="other", iteration="it-9"))
    assert [(row.step, row.iteration, row.candidate) for row in scores.rows()] == [
        ("plan_type", "it-1", "baseline"), ("plan_type", "it-1", "c1"),
        ("other", "it-9", "baseline"),
    ]  # fmt: skip
    assert len(scores.history()) == 3


def test_baseline_that_was_killed_before_its_history_is_completed(
    scores: Scores, tmp_path: Path
) -> None:
    """The row on the scoreboard is written first."""
    baseline = replace(ROW, candidate="baseline", candidate_score=0.0, verdict="BASELINE")
    scores.add_baseline(baseline)
    Layout(tmp_path).score_history.unlink()
    scores.add_baseline(baseline)
    assert [row["candidate"] for row in scores.history()] == ["baseline"]
