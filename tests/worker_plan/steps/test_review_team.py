"""The review of the team: what is shown, and what is too little."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.errors import StepError
from worker_plan.steps.review_team import ReviewTeam

MEMBERS = [{"id": 1, "category": "Baker", "contract_type": "volunteer"}]
FINDING = {"issue": "Nobody steers", "explanation": "The boat drifts."}


def answered(run_dir: Path, reply: Any) -> tuple[Any, Scripted]:
    """Return the review for a reply, and the model that gave it."""
    task = prepared(ReviewTeam, run_dir, EnrichTeamMembersWithEnvironmentInfo=MEMBERS)
    ask = Scripted(lambda _: reply)
    return carry_out(task, ask)["012-review_team_raw.json"], ask


def test_members_are_shown_and_broken_findings_cost_themselves(run_dir: Path) -> None:
    """One list may stay empty; members show only what is known of them."""
    review, ask = answered(run_dir, {"omissions": [FINDING, {"issue": "Half"}]})
    assert [finding.issue for finding in review.omissions] == ["Nobody steers"]
    assert review.potential_improvements == []
    assert '"contract_type": "volunteer"' in ask.sent
    assert "facility_needs" not in ask.sent
    assert review.model_extra["metadata"]["model_name"] == "scripted"


def test_no_finding_is_a_failure(run_dir: Path) -> None:
    """A review that finds nothing was none."""
    with pytest.raises(StepError, match="gave no finding about the team"):
        answered(run_dir, {"omissions": [], "potential_improvements": []})
