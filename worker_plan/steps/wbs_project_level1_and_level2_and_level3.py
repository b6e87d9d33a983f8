"""Join all levels of the work into one tree, and into a table for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from model_gateway.call import Ask
from worker_plan.artifact import data, text
from worker_plan.markdown import line
from worker_plan.outline import outline
from worker_plan.spreadsheet import cell
from worker_plan.step import Step, Written
from worker_plan.steps.create_wbs_level3 import CreateWbsLevel3, TaskPart
from worker_plan.steps.wbs_project_level1_and_level2 import WbsProjectLevel1AndLevel2
from worker_plan.work_breakdown import WorkBreakdown, WorkItem

LEVELS = 4


def item(part: TaskPart) -> WorkItem:
    fields = {
        "detailed_description": part.description,
        "resources_needed": part.resources_needed,
    }
    return WorkItem(id=part.id, description=part.name, extra_fields=fields)


def as_table(work: WorkBreakdown) -> str:
    """Return the tree as a table: a column for each level, and each name in that of its level."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\n")
    writer.writerow([*(f"Level {level}" for level in range(1, LEVELS + 1)), "Task ID"])
    for node in work.walk():
        names = [""] * LEVELS
        names[min(node.depth, LEVELS - 1)] = cell(line(node.item.description))
        writer.writerow([*names, node.item.id])
    return out.getvalue()


class WbsProjectLevel1AndLevel2AndLevel3(Step):
    work_breakdown = WbsProjectLevel1AndLevel2.project.input
    level3 = CreateWbsLevel3.tasks.input

    project = data("023-3-wbs_project_level1_and_level2_and_level3.json", WorkBreakdown)
    table = text("023-4-wbs_project_level1_and_level2_and_level3.csv", show=outline)

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        work = self.work_breakdown
        units = {node.item.id: node.item for node in work.units()}
        for part in self.level3:
            if part.parent_id in units:
                units[part.parent_id].task_children.append(item(part))
        yield self.project, work
        yield self.table, as_table(work)
