"""Places are proposed for plans that need one, and for no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.step import Step
from worker_plan.steps.physical_locations import PhysicalLocations

RAW, MARKDOWN = PhysicalLocations.raw.name, PhysicalLocations.markdown.name


def location(broad: str, **more: Any) -> dict[str, Any]:
    """Return a place as a model gives it."""
    return {
        "physical_location_broad": broad,
        "physical_location_detailed": "Nyborg",
        "physical_location_specific": "A shed by the lock",
        "rationale_for_suggestion": "It has a quay.",
        **more,
    }


def said(*places: Any, **more: Any) -> dict[str, Any]:
    """Return a reply with these places."""
    return {
        "has_location_in_plan": False,
        "requirements_for_the_physical_locations": ["A quay"],
        "physical_locations": list(places),
        "location_summary": "Ask the harbour master.",
        **more,
    }


def step(run_dir: Path, kind: str) -> Step:
    """Return the step on a plan of that type."""
    return prepared(PhysicalLocations, run_dir, PlanType={"plan_type": kind, "explanation": "E."})


def test_digital_plan_gets_no_place(run_dir: Path) -> None:
    """Places are neither asked for nor taken; every key that is always there is there."""
    ask = Scripted(lambda _: said(location("Denmark"), location_summary="翻訳だけで済む。"))
    written = carry_out(step(run_dir, "digital"), ask)
    physical = carry_out(step(run_dir, "physical"), ask)
    digital_schema, physical_schema = (call.schema.model_fields for call in ask.calls)
    assert "physical_locations" not in digital_schema
    assert "physical_locations" in physical_schema
    raw = written[RAW]
    assert set(raw) == set(physical[RAW])
    assert raw["has_location_in_plan"] is False
    assert raw["physical_locations"] == raw["requirements_for_the_physical_locations"] == []
    assert raw["location_summary"] == "翻訳だけで済む。"
    assert "Denmark" not in written[MARKDOWN]
    assert written[MARKDOWN].startswith("No place is needed")
    assert "翻訳だけで済む。" in written[MARKDOWN]


def test_places_are_numbered_in_their_order(run_dir: Path) -> None:
    """Broken places and those without any name go, the others get numbers from 1."""
    nowhere = location("", physical_location_detailed=" ", physical_location_specific=None)
    reply = said(
        "Denmark", nowhere, location("Fyn"), {"rationale_for_suggestion": "?"}, location("島")
    )
    written = carry_out(step(run_dir, "physical"), Scripted(lambda _: reply))
    places = written[RAW]["physical_locations"]
    assert [(one["item_index"], one["physical_location_broad"]) for one in places] == [
        (1, "Fyn"),
        (2, "島"),
    ]
    assert written[MARKDOWN].count("**Region:**") == 2


def test_reply_that_names_no_place_is_a_failure(run_dir: Path) -> None:
    """A place is not made up out of nothing."""
    nowhere = location(" ", physical_location_detailed="", physical_location_specific="")
    with pytest.raises(StepError, match="none of the places"):
        carry_out(step(run_dir, "physical"), Scripted(lambda _: said(nowhere)))
