"""The project plan says which of its sections are missing, and which may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.markdown import INCOMPLETE
from worker_plan.steps.project_plan import ProjectPlan

RAW, MARKDOWN = ProjectPlan.raw.name, ProjectPlan.markdown.name
SMART = dict.fromkeys(("specific", "measurable", "achievable", "relevant", "time_bound"), "C.")
WHOLE: dict[str, Any] = {
    "goal_statement": "Bread for 40 km.",
    "smart_criteria": SMART,
    "dependencies": ["Ein Ofen"],
    "resources_required": ["小麦粉"],
    "related_goals": ["Villages"],
    "tags": ["bread", "boat"],
    "risk_assessment_and_mitigation_strategies": {
        "key_risks": ["Ice"],
        "diverse_risks": ["Mice"],
        "mitigation_plans": ["Moor in winter."],
    },
    "stakeholder_analysis": {
        "primary_stakeholders": ["Bakers"],
        "secondary_stakeholders": ["Anglers"],
        "engagement_strategies": ["Meet at the lock."],
    },
    "regulatory_and_compliance_requirements": {
        "permits_and_licenses": None,
        "compliance_standards": [],
        "regulatory_bodies": [],
        "compliance_actions": [],
    },
}


def outcome(run_dir: Path, reply: Any) -> tuple[dict[str, Any], str, str]:
    """Run the step on a reply; return both artifacts and what was sent."""
    ask = Scripted(lambda _: reply)
    written = carry_out(prepared(ProjectPlan, run_dir), ask)
    return written[RAW], written[MARKDOWN], ask.calls[0].user


def test_plan_may_need_no_permit(run_dir: Path) -> None:
    """Empty lists of rules, or null for one, are not a gap and get no heading."""
    raw, markdown, _ = outcome(run_dir, WHOLE)
    assert INCOMPLETE not in markdown
    assert "Permits" not in markdown
    assert raw["regulatory_and_compliance_requirements"]["permits_and_licenses"] == []
    assert "bread, boat" in markdown


def test_missing_sections_are_named(run_dir: Path) -> None:
    """A reply with the goal alone is a project plan with holes, and every key is in it."""
    goal = {"goal_statement": WHOLE["goal_statement"], "smart_criteria": SMART}
    raw, markdown, _ = outcome(run_dir, goal)
    first = markdown.splitlines()[0]
    assert first.startswith(f"> {INCOMPLETE}")
    for section in ("Dependencies", "Resources", "Risks", "Who carries it"):
        assert section in first
        assert f"## {section}" not in markdown
    assert {key: type(value) for key, value in WHOLE.items()} == {
        key: type(raw[key]) for key in WHOLE
    }


def test_assessment_is_shown_as_text(run_dir: Path) -> None:
    """No JSON stands in the message, so that nothing in it is taken for a list to be answered."""
    _, _, user = outcome(run_dir, WHOLE)
    shown = user.partition("<assessment>")[2]
    assert "Begin in spring." in shown
    assert "{" not in shown
