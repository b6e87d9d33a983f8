"""Schedule every task as early as its dependencies allow, and mark the longest chain."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from model_gateway.call import Ask
from worker_plan import gantt
from worker_plan.artifact import text
from worker_plan.duration import DurationEstimate, final_durations
from worker_plan.errors import StepError
from worker_plan.language import direction
from worker_plan.page import page
from worker_plan.schedule import Schedule, write_csv
from worker_plan.step import Step, Written
from worker_plan.steps.create_wbs_level1 import CreateWbsLevel1
from worker_plan.steps.estimate_task_durations import EstimateTaskDurations
from worker_plan.steps.identify_task_dependencies import IdentifyTaskDependencies
from worker_plan.steps.start_time import StartTime
from worker_plan.steps.wbs_project_level1_and_level2_and_level3 import (
    WbsProjectLevel1AndLevel2AndLevel3,
)
from worker_plan.task_network import Link, Task, arrange
from worker_plan.work_breakdown import WorkItem


def described(item: WorkItem) -> str:
    """Return the description of a task, with one line for each resource."""
    fields = item.extra_fields
    resources = fields.get("resources_needed")
    texts = [
        str(fields.get("final_deliverable") or ""),
        str(fields.get("detailed_description") or ""),
        "\n".join(f"• {name}" for name in resources) if isinstance(resources, list) else "",
    ]
    return "\n\n".join(filter(None, texts))


class CreateSchedule(Step):
    start_time = StartTime.start_time.input
    level1 = CreateWbsLevel1.project_title.input
    dependencies = IdentifyTaskDependencies.raw.input
    durations = EstimateTaskDurations.durations.input
    work_breakdown = WbsProjectLevel1AndLevel2AndLevel3.project.input

    page = text("026-2-schedule_gantt_dhtmlx.html")
    table = text("026-3-schedule_gantt_machai.csv")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        schedule = self._schedule()
        title = self.level1
        names = " ".join(task.name for task in schedule.tasks)
        chart = gantt.fragment(schedule, direction(names))
        yield (
            self.page,
            page(
                "gantt_page.html",
                written_like=names,
                styles=[chart.css],
                scripts=[chart.script],
                title=title,
                body=chart.html,
            ),
        )
        yield self.table, write_csv(schedule)

    def _schedule(self) -> Schedule:
        moment = self.start_time.server_iso_local
        try:
            start = datetime.fromisoformat(moment).date()
        except ValueError as error:
            raise StepError(f"The plan's start time {moment!r} is not a date.") from error
        work = self.work_breakdown
        estimates = {
            estimate.task_id: DurationEstimate(
                low=estimate.days_min, likely=estimate.days_realistic, high=estimate.days_max
            )
            for estimate in self.durations
        }
        ids = [node.item.id for node in work.units()]
        durations = final_durations({task_id: estimates.get(task_id) for task_id in ids})
        tasks = [
            Task(
                task_id=node.item.id,
                name=node.item.description,
                description=described(node.item),
                parent_id=node.parent.id if node.parent is not None else None,
                duration=durations.get(node.item.id),
            )
            for node in work.walk()
        ]
        links = [
            Link(task_id=task.dependent_task_id, after_id=earlier)
            for task in self.dependencies.task_dependency_details
            for earlier in task.depends_on_task_id_list
        ]
        return arrange(tasks, links, start)
