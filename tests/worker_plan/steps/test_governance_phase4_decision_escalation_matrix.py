"""Escalations go to bodies that exist; others are marked."""

from __future__ import annotations

from pathlib import Path

from tests.worker_plan.conftest import Scripted, carry_out
from tests.worker_plan.steps.prepared import prepared
from worker_plan.steps.governance_phase4_decision_escalation_matrix import (
    GovernancePhase4DecisionEscalationMatrix,
)

BODIES = {"internal_governance_bodies": [{"name": "Deck Council", "membership": ["Baker"]}]}


def test_bodies_are_called_by_their_names_and_unknown_ones_are_marked(run_dir: Path) -> None:
    """The entry stays, so that a reader sees what has nobody to go to."""
    entries = [
        {"issue_type": issue, "escalation_body_name": body, "approval_process": "They vote."}
        for issue, body in [("Ice on the canal", "deck council"), ("Flour is gone", "The mayor")]
    ]
    task = prepared(
        GovernancePhase4DecisionEscalationMatrix, run_dir, GovernancePhase2Bodies=BODIES
    )
    ask = Scripted(lambda _: {"decision_escalation_matrix": [*entries, {"issue_type": "Half"}]})
    written = carry_out(task, ask)
    matrix = written["006-7-governance_phase4_decision_escalation_matrix_raw.json"]
    assert [
        (one["escalation_level"], one["known_body"]) for one in matrix["decision_escalation_matrix"]
    ] == [("Deck Council", True), ("The mayor", False)]
    markdown = written["006-8-governance_phase4_decision_escalation_matrix.md"]
    assert "“Flour is gone”" in markdown.splitlines()[0]
    assert "“Ice on the canal”" not in markdown.splitlines()[0]
    assert "**Goes to:** Deck Council" in markdown
    assert '"membership"' in ask.sent
