"""The team on paper: what is not known of a member is named."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.team_markdown import TeamMarkdown

BAKER = {
    "id": 1, "category": "Baker", "explanation": "Bakes.", "consequences": "No bread.",
    "count": "1", "contract_type": "volunteer", "contract_type_justification": "Owns the boat.",
    "typical_job_activities": "Kneading.", "background_story": "Ines learned it at sea.",
    "equipment_needs": "An oven.", "facility_needs": "A galley.",
}  # fmt: skip
FINDING = {"issue": "Nobody steers", "explanation": "It drifts.", "recommendation": "Ask Jo."}
REVIEW = {"omissions": [FINDING], "potential_improvements": [FINDING]}


def text(run_dir: Path, members: object, review: object) -> str:
    """Return the text for a team and its review."""
    task = prepared(
        TeamMarkdown, run_dir, EnrichTeamMembersWithEnvironmentInfo=members, ReviewTeam=review
    )
    written: str = carry_out(task, Scripted(lambda _: FAILED))["013-team.md"]
    return written


def test_every_fact_is_shown(run_dir: Path) -> None:
    """All texts of a member and of the review are there, and nothing is called missing."""
    page = text(run_dir, [BAKER], REVIEW)
    for fact in [*BAKER.values(), *FINDING.values()]:
        assert str(fact) in page
    assert page.startswith("# Roles\n\n## 1. Baker\n")


def test_what_is_missing_is_named(run_dir: Path) -> None:
    """A forgotten member, an empty field, and a part of the review without findings."""
    forgotten = {key: BAKER[key] for key in ("id", "category", "explanation", "count")}
    members = [BAKER | {"facility_needs": " "}, forgotten | {"id": 2, "category": "Skipper"}]
    note = text(run_dir, members, REVIEW | {"omissions": []}).splitlines()[0]
    assert "1. Baker (Facilities)" in note
    assert "2. Skipper (Without it, Contract, Why this contract, Typical activities" in note
    assert note.endswith("omissions.")
