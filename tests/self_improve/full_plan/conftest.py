"""A site with a pipeline of few steps, and the record of one step's best prompt."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from prompt_lab.scores import Best, Scores
from tests.self_improve.iteration.conftest import (
    GOOD,
    STEP,
    SURFACE,
    IterationSite,
    git,
    lab_template,
    make_site,
)

__all__ = ["BETTER", "PLAN", "best", "lab_template", "make_site", "shortened", "site"]

PLAN = "20260502_island_radio"
BETTER = f"{GOOD}\nName what each lever costs, in one of its options.\n"


def best(step: str = STEP, *, iteration: str = "0_levers", simulated: bool = True,
         commit: str = "0" * 40, texts: dict[str, str] | None = None) -> Best:  # fmt: skip
    """Return the record of a best candidate."""
    return Best(
        step=step, candidate=f"{step}-candidate", score=1.0, commit=commit, pull_request="1",
        iteration=iteration, texts={SURFACE: BETTER} if texts is None else texts,
        simulated=simulated,
    )  # fmt: skip


STEPS = {
    "setup", "identify_purpose", "plan_type", "identify_potential_levers", "deduplicate_levers",
    "enrich_levers", "focus_on_vital_few_levers", "strategic_decisions_markdown", "premise_attack",
    "redline_gate",
}  # fmt: skip
REPORT = '''
"""Put the decisions on a page."""

from worker_plan.artifact import text
from worker_plan.step import Step
from worker_plan.steps.strategic_decisions_markdown import StrategicDecisionsMarkdown


class Report(Step):
    decisions = StrategicDecisionsMarkdown.markdown.input

    page = text("030-report.html")

    def work(self, ask):
        yield self.page, f"<!doctype html><pre>{len(self.decisions)}</pre>"
'''


def shortened(site: IterationSite) -> IterationSite:
    """Shorten the pipeline of a site to a few steps: the levers, and a report."""
    steps = site.code / "worker_plan" / "steps"
    for path in steps.glob("*.py"):
        if path.stem not in {"__init__", *STEPS}:
            path.unlink()
    (steps / "report.py").write_text(REPORT.lstrip())
    git(site.code, "commit", "--quiet", "--all", "-m", "A short pipeline")
    return site


@pytest.fixture
def site(make_site: Callable[[str], IterationSite]) -> IterationSite:
    """Return a site with a best prompt of one step that is not in the code yet."""
    site = shortened(make_site(GOOD))
    Scores(site.layout).set_best(best())
    return site
