"""The review is written from what it holds."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.review_assumptions import ReviewAssumptions


def test_parts_without_text_are_left_out(run_dir: Path) -> None:
    """No heading and no label stands there for what the model had nothing to say about."""
    issue = {"issue": "Miete", "explanation": "Fehlt.", "recommendation": "Fragen."}
    reply = {
        "expert_domain": "Binnenschifffahrt",
        "domain_specific_considerations": None,
        "issues": [issue | {"sensitivity": None}],
        "conclusion": "",
    }
    written = carry_out(prepared(ReviewAssumptions, run_dir), Scripted(lambda _: reply))
    assert written[ReviewAssumptions.markdown.name].split("\n") == [
        "**The reviewer's field:** Binnenschifffahrt",
        "",
        "## Issue 1: Miete",
        "",
        "**Why:** Fehlt.",
        "",
        "**Recommendation:** Fragen.",
        "",
    ]
    assert written[ReviewAssumptions.raw.name]["domain_specific_considerations"] == []
