"""The SWOT analysis keeps the purpose beside it, and counts its one call once."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.plan_record import shortcomings
from worker_plan.steps.swot_analysis import SwotAnalysis

PURPOSE = {"topic": "Bread", "purpose": "personal", "purpose_detailed": "A life on water.", "x": 1}
RAW = "014-1-swot_analysis_raw.json"


def test_purpose_is_kept_beside_the_analysis(run_dir: Path) -> None:
    """The facts of the purpose stand in the artifact as they were found; its text is shown."""
    ask = Scripted(lambda _: {"strengths": ["A boat."], "threats": ["Ice."]})
    written = carry_out(prepared(SwotAnalysis, run_dir, IdentifyPurpose=PURPOSE), ask)
    raw = written[RAW]
    assert (raw["topic"], raw["purpose"], raw["purpose_detailed"]) == (
        "Bread",
        "personal",
        "A life on water.",
    )
    assert raw["response_purpose"] == PURPOSE
    assert raw["response_conduct"]["strengths"] == ["A boat."]
    assert "<purpose>\nThis is what IdentifyPurpose says.\n</purpose>" in ask.sent
    assert "Weaknesses; Opportunities" in written["014-2-swot_analysis.md"].splitlines()[0]


def test_reply_that_broke_off_is_one_shortcoming(run_dir: Path) -> None:
    """The artifact shows the facts of the call in two places, but they are one call."""
    ask = Scripted(lambda _: '{"strengths": ["A boat."], "weaknesses": ["An old o')
    carry_out(prepared(SwotAnalysis, run_dir, IdentifyPurpose=PURPOSE), ask)
    assert shortcomings(run_dir, [RAW]) == {RAW: 1}
