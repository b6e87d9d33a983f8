"""What could go wrong."""

import json

import luigi

from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.nodes.setup import SetupTask
from worker_plan_internal.plan.plan_task import PlanTask
from worker_plan_internal.risk.register import register_risks


class RiskRegisterTask(PlanTask):
    """Lists the risks of a plan."""

    def requires(self) -> luigi.Task:
        """Return the plan text."""
        return self.clone(SetupTask)

    def output(self) -> luigi.LocalTarget:
        """Return the list."""
        return self.local_target(FilenameEnum.RISK_REGISTER)

    def run_inner(self) -> None:
        """List them."""
        with self.input().open() as file:
            plan = file.read()
        risks = self.with_llm(lambda llm: register_risks(llm, plan))
        with self.output().open("w") as file:
            json.dump(risks.model_dump(), file, indent=2)
