"""What a stored plan records of how it was made, and how fair a comparison with it is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_gateway import entry_files
from prompt_lab.layout import Layout
from self_improve.full_plan.baseline import baseline_of, usage_in, usage_of
from self_improve.full_plan.request import PlanRequest
from self_improve.runs.preparation import RunRequest


@pytest.fixture
def request_of(tmp_path: Path) -> PlanRequest:
    """Return what is asked for on the simulated model."""
    catalogue = entry_files.load()
    lab, models = Layout(tmp_path), (catalogue.find("sim-strong"),)
    run = RunRequest(
        step="", models=models, catalogue=catalogue, layout=lab, output=lab, speed="FAST"
    )
    return PlanRequest(run=run, code=tmp_path, base="HEAD")


def made_by(plan: Path, *names: str) -> Path:
    """Write raw artifacts that name models."""
    plan.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        value = {"response": [{"metadata": {"model_name": name}}]}
        (plan / f"{number}_raw.json").write_text(json.dumps(value))
    (plan / "title.json").write_text("no JSON")
    return plan


@pytest.mark.parametrize(
    ("names", "same", "note"),
    [
        ([], None, "The model and mode of the stored plan are unknown"),
        (
            ["sim-strong", "simulated/strong"],
            True,
            "made by sim-strong, too; its prompts are unknown",
        ),
        (["big", "big", "sim-strong"], False, "made by big (2 calls), sim-strong (1 call), the"),
    ],
)
def test_a_plan_of_another_model_is_called_so(
    tmp_path: Path, request_of: PlanRequest, names: list[str], same: object, note: str
) -> None:
    """A reader of the comparison must know what differs beside the prompts."""
    baseline = baseline_of(made_by(tmp_path / "plan", *names), request_of)
    assert (baseline.kind, baseline.same_model, baseline.same_speed) == ("stored", same, None)
    assert note in baseline.note
    assert "--regenerate-baseline compares like with like" in baseline.note


def test_regenerated_sides_are_like_with_like(tmp_path: Path, request_of: PlanRequest) -> None:
    """Whatever the stored plan was made by."""
    plan = made_by(tmp_path / "plan", "big")
    baseline = baseline_of(plan, replace(request_of, regenerate_baseline=True))
    assert (baseline.kind, baseline.same_model, baseline.same_speed) == ("regenerated", True, True)
    assert baseline.note.startswith("Like with like")
    assert "note" not in baseline.to_row()


def test_usage_is_summed_and_what_is_unknown_stays_so(tmp_path: Path) -> None:
    """A request without a price makes the sum unknown, not smaller; a failed one does not."""
    row = {"success": True, "duration_seconds": 2, "input_tokens": 5, "output_tokens": 1}
    failed = {"success": False, "duration_seconds": 1}
    usage = usage_in([{**row, "cost_usd": 0.5}, failed, row])
    assert usage is not None
    assert (usage.requests, usage.failed) == (3, 1)
    assert (usage.input_tokens, usage.output_tokens, usage.seconds) == (10, 2, 5)
    assert usage.cost_usd is None
    assert usage_of(tmp_path) is None
