"""The purpose of a plan, as later steps read it."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import Scripted, carry_out
from worker_plan.steps.identify_purpose import IdentifyPurpose


def test_purpose_is_written_in_the_plans_language(run_dir: Path) -> None:
    """Topic, purpose and class stand in the text as the model gave them."""
    said = {
        "topic": "船の上のパン屋",
        "purpose_detailed": "村にパンを届ける。",
        "purpose": "Business",
    }
    written = carry_out(IdentifyPurpose(run_dir=str(run_dir)), Scripted(lambda _: said))
    assert written["002-6-identify_purpose.md"] == (
        "# 船の上のパン屋\n\n村にパンを届ける。\n\n- Class: business\n"
    )
    assert written["002-5-identify_purpose_raw.json"]["purpose"] == "business"
