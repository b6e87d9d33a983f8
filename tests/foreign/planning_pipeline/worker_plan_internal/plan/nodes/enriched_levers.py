"""More about each lever."""

import json
from typing import Any

import luigi

from worker_plan_internal.lever.enrich_levers import EnrichLevers
from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.nodes.potential_levers import PotentialLeversTask
from worker_plan_internal.plan.nodes.setup import SetupTask
from worker_plan_internal.plan.plan_task import PlanTask


class EnrichedLeversTask(PlanTask):
    """Describes the levers that were found."""

    def requires(self) -> dict[str, Any]:
        """Return the plan text and the levers."""
        return {"setup": self.clone(SetupTask), "levers": self.clone(PotentialLeversTask)}

    def output(self) -> luigi.LocalTarget:
        """Return the levers with their descriptions."""
        return self.local_target(FilenameEnum.ENRICHED_LEVERS)

    def run_inner(self) -> None:
        """Describe them."""
        with self.input()["setup"].open() as file:
            plan = file.read()
        with self.input()["levers"]["clean"].open() as file:
            levers = json.load(file)
        described = self.with_llm(lambda llm: EnrichLevers(plan, levers).execute(llm))
        with self.output().open("w") as file:
            json.dump(described, file, indent=2)
