"""Suggestions are distinguished by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.related_resources import RelatedResources


def answered(run_dir: Path, *names: str) -> dict[str, Any]:
    """Return what the step writes when undertakings of these names are suggested."""
    listed = [{"project_name": name, "project_description": "It baked."} for name in names]
    reply = {"suggestion_list": listed, "summary": None}
    return carry_out(prepared(RelatedResources, run_dir), Scripted(lambda _: reply))


def test_suggestions_are_numbered_and_have_distinct_names(run_dir: Path) -> None:
    """The same name again is refused; numbers are given here, not by the model."""
    raw = answered(run_dir, "Lock Bakery", "LOCK BAKERY", "Horno", "")[
        "007-1-related_resources_raw.json"
    ]
    assert [(one["item_index"], one["project_name"]) for one in raw["suggestion_list"]] == [
        (1, "Lock Bakery"),
        (2, "Horno"),
    ]
    assert [one["reason"] for one in raw["refused"]] == ["name already there", "no name"]
    assert raw["summary"] == ""


def test_no_suggestion_with_a_name_is_a_failure(run_dir: Path) -> None:
    """Nobody could look it up."""
    with pytest.raises(StepError, match="none of 1 suggestions has a name"):
        answered(run_dir, " ")
