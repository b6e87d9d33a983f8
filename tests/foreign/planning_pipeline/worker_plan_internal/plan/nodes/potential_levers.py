"""What could be decided one way or another."""

import json

import luigi

from worker_plan_internal.lever.find_levers import FindLevers
from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.nodes.setup import SetupTask
from worker_plan_internal.plan.plan_task import PlanTask


class PotentialLeversTask(PlanTask):
    """Finds the levers of a plan."""

    def requires(self) -> luigi.Task:
        """Return the plan text."""
        return self.clone(SetupTask)

    def output(self) -> dict[str, luigi.LocalTarget]:
        """Return the reply, and the levers in it."""
        return {
            "raw": self.local_target(FilenameEnum.POTENTIAL_LEVERS_RAW),
            "clean": self.local_target(FilenameEnum.POTENTIAL_LEVERS),
        }

    def run_inner(self) -> None:
        """Find them."""
        plan = self.file_path(FilenameEnum.PLAN).read_text(encoding="utf-8")
        found = self.with_llm(lambda llm: FindLevers.execute(llm, plan))
        with self.output()["raw"].open("w") as file:
            json.dump(found.model_dump(), file, indent=2)
        with self.output()["clean"].open("w") as file:
            json.dump([lever.model_dump() for lever in found.levers], file, indent=2)
