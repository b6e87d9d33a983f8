"""What a step shows of the steps before it."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import PLAN
from tests.worker_plan.steps.prepared import prepared
from tests.worker_plan.whole_plan import WORK
from worker_plan.steps.governance_phase1_audit import GovernancePhase1Audit
from worker_plan.steps.review_plan import ReviewPlan
from worker_plan.steps.review_team import ReviewTeam

MEMBERS = [{"id": 1, "category": "Baker"}]


def test_every_text_stands_in_a_block_called_like_its_attribute(run_dir: Path) -> None:
    """The blocks come in the order of the declaration."""
    text = prepared(GovernancePhase1Audit, run_dir).briefing()
    assert text.startswith(f"<plan>\n{PLAN}\n</plan>\n\n<decisions>\n")
    assert text.endswith("<project_plan>\nThis is what ProjectPlan says.\n</project_plan>")


def test_assessment_is_shown_as_text_and_other_json_is_not(run_dir: Path) -> None:
    """A model that finds JSON may answer its entries; the step shows the members itself."""
    step = prepared(ReviewTeam, run_dir, EnrichTeamMembersWithEnvironmentInfo=MEMBERS)
    text = step.briefing()
    assert "<assessment>\nBegin in spring.\n\nThe oven is the risk.\n\n- Oven: Ask who may" in text
    assert "Baker" not in text


def test_steps_that_read_the_same_begin_alike(run_dir: Path) -> None:
    """A longer briefing begins with the whole of a shorter one: servers charge less for it."""
    short = prepared(GovernancePhase1Audit, run_dir).briefing()
    step = prepared(ReviewTeam, run_dir, EnrichTeamMembersWithEnvironmentInfo=MEMBERS)
    assert step.briefing().startswith(short)


def test_work_breakdown_is_shown_without_ids_of_tasks(run_dir: Path) -> None:
    """Names with their depth are what a reader needs."""
    step = prepared(ReviewPlan, run_dir)
    (run_dir / "023-4-wbs_project_level1_and_level2_and_level3.csv").write_text(WORK)
    text = step.briefing()
    assert "- Bakery\n  - Hull\n    - Buy an oven\n      - Measure the hatch\n  - Bread" in text
    assert "t4" not in text
