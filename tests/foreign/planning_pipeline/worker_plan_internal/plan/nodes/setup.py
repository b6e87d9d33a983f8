"""The idea, as the user gave it."""

import luigi

from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.plan_task import PlanTask


class SetupTask(PlanTask):
    """Owns the plan text, which is put there before the pipeline starts."""

    def output(self) -> luigi.LocalTarget:
        """Return the plan text."""
        return self.local_target(FilenameEnum.PLAN)

    def run_inner(self) -> None:
        """Refuse: nobody but the user can write it."""
        raise AssertionError("the plan text has to be there before the pipeline starts")
