"""Which levers to keep."""

import json

import luigi

from worker_plan_internal.lever.screen_levers import screen
from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.nodes.potential_levers import PotentialLeversTask
from worker_plan_internal.plan.plan_task import PlanTask


class ScreenedLeversTask(PlanTask):
    """Marks levers to be dropped, in the very file in which they came."""

    def requires(self) -> luigi.Task:
        """Return the levers."""
        return self.clone(PotentialLeversTask)

    def output(self) -> luigi.LocalTarget:
        """Return the verdicts."""
        return self.local_target(FilenameEnum.SCREENED_LEVERS)

    def run_inner(self) -> None:
        """Judge the levers, and write the verdicts into the input as well."""
        path = self.file_path(FilenameEnum.POTENTIAL_LEVERS)
        levers = json.loads(path.read_text(encoding="utf-8"))
        verdicts = self.with_llm(lambda llm: screen(llm, levers))
        with path.open("r+", encoding="utf-8") as file:
            json.dump([{**lever, "screened": True} for lever in levers], file)
            file.truncate()
        with self.output().open("w") as file:
            json.dump(verdicts.model_dump(), file, indent=2)
