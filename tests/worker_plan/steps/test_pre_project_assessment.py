"""Later steps read what both experts said in one list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.pre_project_assessment import PreProjectAssessment


def expert(*titles: str) -> dict[str, Any]:
    """Return an expert as a model gives it; the numbers are odd on purpose."""
    items = [
        {"feedback_index": "1a", "feedback_title": one, "feedback_description": f"{one}!"}
        for one in titles
    ]
    listed: list[Any] = [*items, {"feedback_title": "broken"}]
    return {"expert_title": "Baker", "expert_full_name": None, "feedback_item_list": listed}


def test_feedback_of_both_experts_becomes_one_list(run_dir: Path) -> None:
    """It is in the order of the experts, without broken items, numbered from 1 for each of them."""
    reply = {
        "expert1": expert("Ofen", "Mehl"),
        "expert2": expert("許可"),
        "combined_summary": "S.",
        "go_no_go_recommendation": "R.",
    }
    step = PreProjectAssessment
    written = carry_out(prepared(step, run_dir), Scripted(lambda _: reply))
    assert written[step.assessment.name].model_dump() == {
        "go_no_go_recommendation": "R.",
        "combined_summary": "S.",
        "feedback": [
            {"title": title, "description": f"{title}!"} for title in ("Ofen", "Mehl", "許可")
        ],
    }
    raw = written[step.raw.name]
    numbers = [
        [item["feedback_index"] for item in raw[name]["feedback_item_list"]]
        for name in ("expert1", "expert2")
    ]
    assert numbers == [[1, 2], [1]]
