"""Whether the idea deserves a plan."""

import luigi

from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.nodes.setup import SetupTask
from worker_plan_internal.plan.plan_task import PlanTask


class PremiseReviewTask(PlanTask):
    """Looks for the one assumption on which everything rests."""

    def requires(self) -> luigi.Task:
        """Return the plan text."""
        return self.clone(SetupTask)

    def output(self) -> luigi.LocalTarget:
        """Return the review."""
        return self.local_target(FilenameEnum.PREMISE_REVIEW)

    def run_inner(self) -> None:
        """Review the premise; the logic is imported when it is needed."""
        from ...review.premise import PremiseReview  # noqa: TID252 - such pipelines do

        with self.input().open() as file:
            plan = file.read()
        review = self.with_llm(lambda llm: PremiseReview.execute(llm, plan))
        with self.output().open("w") as file:
            file.write(review.to_markdown())
