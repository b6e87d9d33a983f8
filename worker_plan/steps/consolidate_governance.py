"""Join the parts of the governance into one text for later steps and readers."""

from __future__ import annotations

from collections.abc import Iterator

from model_gateway.call import Ask
from worker_plan.artifact import text
from worker_plan.markdown import document
from worker_plan.step import Step, Written
from worker_plan.steps.governance_phase1_audit import GovernancePhase1Audit
from worker_plan.steps.governance_phase2_bodies import GovernancePhase2Bodies
from worker_plan.steps.governance_phase3_impl_plan import GovernancePhase3ImplPlan
from worker_plan.steps.governance_phase4_decision_escalation_matrix import (
    GovernancePhase4DecisionEscalationMatrix,
)
from worker_plan.steps.governance_phase5_monitoring_progress import (
    GovernancePhase5MonitoringProgress,
)
from worker_plan.steps.governance_phase6_extra import GovernancePhase6Extra


class ConsolidateGovernance(Step):
    governance_phase1_audit = GovernancePhase1Audit.markdown.input
    governance_phase2_bodies = GovernancePhase2Bodies.markdown.input
    governance_phase3_impl_plan = GovernancePhase3ImplPlan.markdown.input
    governance_phase4_decision_escalation_matrix = (
        GovernancePhase4DecisionEscalationMatrix.markdown.input
    )
    governance_phase5_monitoring_progress = GovernancePhase5MonitoringProgress.markdown.input
    governance_phase6_extra = GovernancePhase6Extra.markdown.input

    markdown = text("006-13-consolidate_governance.md")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        parts = {
            "Audit": self.governance_phase1_audit,
            "Bodies": self.governance_phase2_bodies,
            "Setting up the bodies": self.governance_phase3_impl_plan,
            "Escalation of decisions": self.governance_phase4_decision_escalation_matrix,
            "Monitoring of progress": self.governance_phase5_monitoring_progress,
            "Holes and questions": self.governance_phase6_extra,
        }
        lines = [f"# {heading}\n\n{part.strip()}\n" for heading, part in parts.items()]
        yield self.markdown, document(lines)
