"""Own the plan text, which the user writes."""

from __future__ import annotations

from collections.abc import Iterator

from model_gateway.call import Ask
from worker_plan.artifact import text
from worker_plan.errors import StepError
from worker_plan.step import Step, Written


class Setup(Step):
    plan = text("001-2-plan.txt")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        raise StepError(
            f"{self.plan.name} is missing in {self.run_dir}; it is the plan text, and only you can "
            "write it."
        )
