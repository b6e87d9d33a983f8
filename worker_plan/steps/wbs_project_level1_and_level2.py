"""Join the project, its phases and their tasks into one tree."""

from __future__ import annotations

from collections.abc import Iterator

from model_gateway.call import Ask
from worker_plan.artifact import data
from worker_plan.step import Step, Written
from worker_plan.steps.create_wbs_level1 import CreateWbsLevel1
from worker_plan.steps.create_wbs_level2 import CreateWbsLevel2
from worker_plan.work_breakdown import WorkBreakdown, WorkItem


class WbsProjectLevel1AndLevel2(Step):
    level1 = CreateWbsLevel1.wbs.input
    level2 = CreateWbsLevel2.tasks.input

    project = data("019-wbs_project_level1_and_level2.json", WorkBreakdown)

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        top = self.level1
        phases = [
            WorkItem(
                id=phase.id,
                description=phase.major_phase_title,
                task_children=[
                    WorkItem(id=task.id, description=task.description) for task in phase.subtasks
                ],
            )
            for phase in self.level2
        ]
        root = WorkItem(
            id=top.id,
            description=top.project_title,
            extra_fields={"final_deliverable": top.final_deliverable},
            task_children=phases,
        )
        yield self.project, WorkBreakdown(wbs_project=root)
