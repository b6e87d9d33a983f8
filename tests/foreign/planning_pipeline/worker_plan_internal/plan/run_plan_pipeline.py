"""The root of the pipeline."""

from typing import Any

import luigi

from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.nodes.enriched_levers import EnrichedLeversTask
from worker_plan_internal.plan.nodes.levers_markdown import LeversMarkdownTask
from worker_plan_internal.plan.nodes.potential_levers import PotentialLeversTask
from worker_plan_internal.plan.nodes.premise_review import PremiseReviewTask
from worker_plan_internal.plan.nodes.risk_register import RiskRegisterTask
from worker_plan_internal.plan.nodes.screened_levers import ScreenedLeversTask
from worker_plan_internal.plan.nodes.setup import SetupTask
from worker_plan_internal.plan.plan_task import PlanTask


class FullPlanPipeline(PlanTask):
    """Requires everything, and says that it is there."""

    def requires(self) -> dict[str, Any]:
        """Return one task for each node."""
        return {
            "setup": self.clone(SetupTask),
            "premise_review": self.clone(PremiseReviewTask),
            "potential_levers": self.clone(PotentialLeversTask),
            "enriched_levers": self.clone(EnrichedLeversTask),
            "screened_levers": self.clone(ScreenedLeversTask),
            "risk_register": self.clone(RiskRegisterTask),
            "levers_markdown": self.clone(LeversMarkdownTask),
        }

    def output(self) -> luigi.LocalTarget:
        """Return the mark of a finished plan."""
        return self.local_target(FilenameEnum.PIPELINE_COMPLETE)

    def run_inner(self) -> None:
        """Leave the mark."""
        with self.output().open("w") as file:
            file.write("The plan is complete.\n")
