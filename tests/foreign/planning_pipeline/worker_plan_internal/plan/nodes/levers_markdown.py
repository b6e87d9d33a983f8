"""The levers as a page."""

import json
from typing import Any

import luigi

from worker_plan_internal.plan.filenames import FilenameEnum
from worker_plan_internal.plan.nodes.enriched_levers import EnrichedLeversTask
from worker_plan_internal.plan.nodes.screened_levers import ScreenedLeversTask
from worker_plan_internal.plan.plan_task import PlanTask


class LeversMarkdownTask(PlanTask):
    """Renders what is known of the levers, without asking anybody."""

    def requires(self) -> dict[str, Any]:
        """Return the descriptions and the verdicts."""
        return {
            "enriched": self.clone(EnrichedLeversTask),
            "screened": self.clone(ScreenedLeversTask),
        }

    def output(self) -> luigi.LocalTarget:
        """Return the page."""
        return self.local_target(FilenameEnum.LEVERS_MARKDOWN)

    def run_inner(self) -> None:
        """Render it."""
        with self.input()["enriched"].open() as file:
            levers = json.load(file)
        lines = [f"## {lever['name']}\n\n{lever['description']}\n" for lever in levers]
        with self.output().open("w") as file:
            file.write("\n".join(lines))
