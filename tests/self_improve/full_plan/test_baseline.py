"""What a stored plan tells of itself, and how fair it is to compare with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model_gateway import config
from prompt_lab.layout import Layout
from self_improve.full_plan.baseline import baseline_of, usage_in, usage_of
from self_improve.full_plan.request import PlanRequest


@pytest.fixture
def request_of(tmp_path: Path) -> PlanRequest:
    """Return what is asked for on the simulated model."""
    catalogue = config.load()
    return PlanRequest(
        speed="ALL_DETAILS_BUT_SLOW",
        layout=Layout(tmp_path), catalogue=catalogue, model=catalogue.find("sim-strong"),
        plans={}, code=tmp_path, base="HEAD",
    )  # fmt: skip


def made_by(plan: Path, *names: str) -> Path:
    """Write raw artifacts that name models."""
    plan.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        value = {"response": [{"metadata": {"model_name": name}}]}
        (plan / f"{number}_raw.json").write_text(json.dumps(value))
    (plan / "title.json").write_text("no JSON")
    return plan


@pytest.mark.parametrize(
    ("names", "same", "told"),
    [
        ([], None, "It is not known which model made the stored plan"),
        (["sim-strong", "simulated/strong"], True, "made by sim-strong, too; it is not known with"),
        (["big", "big", "sim-strong"], False, "made by big (2 calls), sim-strong (1 calls), the"),
    ],
)
def test_a_plan_of_another_model_is_called_so(
    tmp_path: Path, request_of: PlanRequest, names: list[str], same: object, told: str
) -> None:
    """Whoever reads the comparison must know what differs beside the prompts."""
    found = baseline_of(made_by(tmp_path / "plan", *names), request_of)
    assert (found.kind, found.same_model, found.same_speed) == ("stored", same, None)
    assert told in found.note
    assert "--regenerate-baseline compares like with like" in found.note


def test_regenerated_sides_are_like_with_like(tmp_path: Path, request_of: PlanRequest) -> None:
    """Whatever the stored plan was made by."""
    plan = made_by(tmp_path / "plan", "big")
    found = baseline_of(plan, replace(request_of, regenerate_baseline=True))
    assert (found.kind, found.same_model, found.same_speed) == ("regenerated", True, True)
    assert found.note.startswith("Like with like")


def test_usage_is_summed_and_what_is_unknown_stays_so(tmp_path: Path) -> None:
    """A request without a price makes the sum unknown, not smaller; a failed one does not."""
    row = {"success": True, "duration_seconds": 2, "input_tokens": 5, "output_tokens": 1}
    failed = {"success": False, "duration_seconds": 1}
    found = usage_in([{**row, "cost_usd": 0.5}, failed, row])
    assert found is not None
    assert (found.requests, found.failed) == (3, 1)
    assert (found.input_tokens, found.output_tokens, found.seconds) == (10, 2, 5)
    assert found.cost_usd is None
    assert usage_of(tmp_path) is None
