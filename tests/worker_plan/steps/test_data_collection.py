"""Fields of data to collect: numbered in the record, the touchiest assumptions first on paper."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.inputs import with_inputs
from worker_plan.errors import StepError
from worker_plan.steps.data_collection import DataCollection

RAW, MARKDOWN = "017-1-data_collection_raw.json", "017-2-data_collection.md"


def field(title: str, **changes: Any) -> dict[str, Any]:
    """Return one field of data as a model gives it."""
    degrees = ("low", "HIGH", " Medium ")
    return {
        "title": title,
        "data_to_collect": [f"Days with {title}."],
        "simulation_steps": ["Count them."],
        "expert_validation_steps": ["Ask the lock keeper."],
        "rationale": "No bread without it.",
        "responsible_parties": ["Skipper"],
        "assumptions": [
            {"assumption": f"Assumed {degree.strip().lower()}.", "sensitivity_score": degree}
            for degree in degrees
        ],
        "smart_validation_objective": "By May.",
        "notes": ["Free of charge."],
        **changes,
    }


def said(*fields: Any) -> dict[str, Any]:
    """Return a reply with these fields."""
    return {"data_collection_list": list(fields), "summary": "Ice first."}


@pytest.fixture
def step(run_dir: Path) -> DataCollection:
    """Return the step on a plan with what it reads."""
    return with_inputs(DataCollection, run_dir)


def test_fields_and_assumptions_are_numbered(step: DataCollection) -> None:
    """The record has running numbers, though no model is asked for them."""
    raw = carry_out(step, Scripted(lambda _: said(field("Ice"), field("Fog"))))[RAW]
    assert [one["item_index"] for one in raw["data_collection_list"]] == [1, 2]
    for one in raw["data_collection_list"]:
        assert [a["item_index"] for a in one["assumptions"]] == [1, 2, 3]
        assert [a["sensitivity_score"] for a in one["assumptions"]] == ["low", "high", "medium"]


def test_touchiest_assumption_comes_first_on_paper(step: DataCollection) -> None:
    """Readers see first what would change the plan most."""
    text = carry_out(step, Scripted(lambda _: said(field("Ice"))))[MARKDOWN]
    lines = [line for line in text.splitlines() if line.startswith("- Assumed")]
    assert lines == [
        "- Assumed high. (high)",
        "- Assumed medium. (medium)",
        "- Assumed low. (low)",
    ]


def test_broken_item_costs_only_itself(step: DataCollection) -> None:
    """A field without data goes, and so does an assumption of an unknown degree."""
    odd = {"assumption": "Odd.", "sensitivity_score": "perhaps"}
    ask = Scripted(
        lambda _: said({"title": "Fog"}, field("Rain", data_to_collect=[]), field(
            "Ice", assumptions=[odd, {"assumption": "Even.", "sensitivity_score": "low"}]
        ))
    )  # fmt: skip
    [item] = carry_out(step, ask)[RAW]["data_collection_list"]
    assert item["title"] == "Ice"
    assert [one["assumption"] for one in item["assumptions"]] == ["Even."]


def test_reply_that_broke_off_is_marked(step: DataCollection) -> None:
    """The complete fields are shown under a note that there was more."""
    whole = json.dumps(said(field("Ice"), field("Fog")))
    written = carry_out(step, Scripted(lambda _: whole[: whole.index("Days with Fog")]))
    assert written[RAW]["metadata"]["partial"] is True
    assert written[MARKDOWN].startswith("> **Incomplete.**")
    assert "## 1. Ice" in written[MARKDOWN]
    assert "Fog" not in written[MARKDOWN]


@pytest.mark.parametrize("answer", [said(), FAILED])
def test_no_field_is_a_failure(step: DataCollection, answer: Any) -> None:
    """A list without fields is not a reply."""
    with pytest.raises(StepError, match="no usable reply"):
        carry_out(step, Scripted(lambda _: answer))
