"""What was gained, when, and at what cost."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from prompt_lab.command_line import main
from prompt_lab.gains import drawing, gains, table_csv, text
from prompt_lab.init import init
from prompt_lab.layout import Layout
from prompt_lab.scores import Scores
from tests.prompt_lab.test_scores import ROW


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Return a data repo with two steps, one kept, one rejected, and a run with a failed cell."""
    init(tmp_path / "lab")
    layout = Layout(tmp_path / "lab")
    scores = Scores(layout)
    scores.add(replace(ROW, verdict="BASELINE", delta=None, cost=None, iteration="it-0"), {})
    scores.add(replace(ROW, cost=0.5), {})
    scores.add(
        replace(ROW, iteration="it-2", date="2026-05-12", delta=9.0, verdict="NO", cost=1.5), {}
    )
    scores.add(
        replace(ROW, iteration="it-3", step="other", date="2026-05-12", delta=0.25, cost=None), {}
    )
    run = layout.run(0, "plan_type")
    run.mkdir(parents=True)
    (run / "meta.json").write_text(json.dumps({"created": "2026-05-12T10:00:00+00:00"}))
    rows = [{"name": "a", "error": None}, {"name": "b", "error": "x", "failure_kind": "timeout"}]
    (run / "outputs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return layout


def test_only_what_was_kept_counts_as_gain(layout: Layout) -> None:
    """A rejected candidate costs and gains nothing; the baseline is not an iteration."""
    other, step = gains(layout).steps
    assert (step.iterations, step.kept, step.rejected, step.gain) == (2, 1, 1, 1.5)
    assert (step.cost, step.cost_per_kept) == (2.0, 2.0)
    assert (other.cost, other.cost_per_kept) == (None, None)
    assert gains(layout).total == 1.75


def test_iteration_is_paid_once(layout: Layout) -> None:
    """Each of several candidates shows the cost of their iteration; one that lacks it adds none."""
    scores = Scores(layout)
    for name, cost in (("a", 4.0), ("b", 4.0), ("c", None)):
        scores.add(
            replace(ROW, candidate=name, iteration="it-4", verdict="NO", step="paid", cost=cost), {}
        )
    paid = {step.step: step for step in gains(layout).steps}["paid"]
    assert (paid.iterations, paid.rejected, paid.cost) == (1, 3, 4.0)


def test_what_was_estimated_stands_beside_what_was_billed(layout: Layout) -> None:
    """Runs on one model are one row; what is unknown of one of them is unknown in all."""
    for number, (model, estimated, billed, by_price) in enumerate(
        [("b", 0.5, 1.0, 0.75), ("b", 0.5, 0.5, 0.5), ("a", None, None, None)], start=1
    ):
        run = layout.run(number, "plan_type")
        run.mkdir(parents=True)
        (run / "meta.json").write_text(json.dumps({"model": {"primary": model}}))
        spent = {"cost_usd": billed, "cost_by_price_usd": by_price, "charged_usd": 2.0}
        (run / "done.json").write_text(json.dumps({"spent": spent}))
        event = {"event": "estimated", "dollars": estimated}
        (run / "events.jsonl").write_text(json.dumps(event) + "\n")
    first, second = gains(layout).bills
    assert (first.model, first.runs, first.estimated, first.billed, first.off) == (
        "a", 1, None, None, None,
    )  # fmt: skip
    assert (second.estimated, second.billed, second.by_price) == (1.0, 1.5, 1.25)
    assert (second.off, second.charged) == (0.5, 4.0)
    lines = text(gains(layout)).splitlines()
    assert lines[-1].split() == ["b", "2", "$1.0000", "$1.5000", "+50%", "$1.2500", "$4.0000"]
    assert gains(layout).to_row()["bills"][0]["billed"] is None


def test_what_is_rolled_back_is_no_gain(layout: Layout) -> None:
    """It is taken off again, and a rollback is neither an iteration nor a candidate kept."""
    row = replace(ROW, iteration="r", delta=-1.5, cost=0.0, verdict="SIMULATED ROLLBACK")
    Scores(layout).add(row, {})
    _, step = gains(layout).steps
    assert (step.gain, step.iterations, step.kept, step.cost) == (0.0, 2, 1, 2.0)


def test_weeks_add_up(layout: Layout) -> None:
    """Gains are summed from week to week, with the failures of the cells of each."""
    first, second = gains(layout).weeks
    assert (first.week, first.gained, first.total, first.cells) == ("2026-W18", 1.5, 1.5, 0)
    assert (second.week, second.gained, second.total, second.kept) == ("2026-W20", 0.25, 1.75, 1)
    assert (second.cells, second.failures) == (2, {"timeout": 1})


def test_forms_tell_the_same(layout: Layout) -> None:
    """Tables for people, CSV for spreadsheets, a drawing that is the same each time."""
    table = gains(layout)
    assert "plan_type  +1.50" in text(table)
    rows = list(csv.DictReader(io.StringIO(table_csv(table))))
    assert [row["failed_timeout"] for row in rows] == ["0", "1"]
    assert drawing(table) == drawing(table)


def test_command_writes_all_forms(
    layout: Layout, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The files are written beside what is printed."""
    place = ["--prompt-lab-dir", str(layout.root)]
    files = ["--csv", str(tmp_path / "g.csv"), "--svg", str(tmp_path / "g.svg")]
    assert main(["progress", *place, *files, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total"] == 1.75
    assert (tmp_path / "g.csv").read_text().startswith("week,")
    assert (tmp_path / "g.svg").read_text().rstrip().endswith("</svg>")


def test_empty_data_repo_says_how_to_begin(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is no table of nothing."""
    init(tmp_path / "lab")
    assert main(["progress", "--prompt-lab-dir", str(tmp_path / "lab")]) == 0
    assert "No iteration has ended yet." in capsys.readouterr().out
