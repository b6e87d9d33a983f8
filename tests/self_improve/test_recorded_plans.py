"""The first steps, re-executed on the nine recorded plans; `make reexecution` does it with all."""

from __future__ import annotations

from pathlib import Path

import pytest

from prompt_lab import unzip
from tests.self_improve import commands
from tests.self_improve.hosts import shared

STEPS = (
    "redline_gate",
    "premise_attack",
    "identify_purpose",
    "plan_type",
    "identify_potential_levers",
    "deduplicate_levers",
    "enrich_levers",
    "focus_on_vital_few_levers",
    "candidate_scenarios",
    "select_scenario",
)


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recorded train and verify plans, unzipped side by side."""
    zips = sorted(shared("recorded", "baseline").glob("*/*.zip"))
    folder = tmp_path_factory.mktemp("recorded")
    for path in zips:
        unzip.unpack(path, folder / path.stem, called=path.name, limits=unzip.UnzipLimits())
    assert len(zips) == 9
    return folder


@pytest.mark.parametrize("step", STEPS)
def test_a_step_runs_on_all_recorded_plans(step: str, plans: Path, tmp_path: Path) -> None:
    """The runner re-executes it on each plan, with two simulated models, and all cells are ok."""
    ran = commands.run(
        "--step", step, "--models", "sim-strong,sim-verbose", "--baseline-dir", plans,
        output=tmp_path,
    )  # fmt: skip
    assert ran.code == 0, ran.err
    for run in commands.runs(tmp_path):
        rows = run.rows()
        assert len(rows) == 9
        assert all(row["error"] is None and row["calls"] > 0 for row in rows.values())
        assert run.surfaces()["unmatched"] == {"descriptions": [], "system_messages": []}


def test_every_step_that_calls_a_model_stands_in_the_table() -> None:
    """The table that `make reexecution` writes was made with today's steps, and no cell failed."""
    listed = commands.list_steps().json["steps"]
    calling = [step["name"] for step in listed if step["calls_model"]]
    page = (Path(__file__).parents[2] / "docs" / "reexecution.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][1:]
    assert [row[0].removeprefix("| ") for row in rows] == calling
    assert f"{9 * len(calling)} ended ok" in page
