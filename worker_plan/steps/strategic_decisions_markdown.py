"""Write the levers as Markdown for later steps: the vital few in full, the others in short."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_gateway.call import Ask
from worker_plan.artifact import text
from worker_plan.markdown import gaps
from worker_plan.step import Step, Written
from worker_plan.steps.enrich_levers import EnrichedLever, EnrichLevers
from worker_plan.steps.focus_on_vital_few_levers import (
    FocusOnVitalFewLevers,
    LeverAssessment,
    VitalFewLevers,
    VitalLever,
)


def render(vital: VitalFewLevers, others: list[EnrichedLever], lost: Sequence[str] = ()) -> str:
    by_id = {one.lever_id: one for one in vital.response.lever_assessments}
    lines = ["# Strategic decisions", "", *gaps(lost)]
    if vital.response.summary:
        lines += [vital.response.summary, ""]
    lines += ["## The vital few", ""]
    for number, lever in enumerate(vital.levers, start=1):
        lines += _in_full(number, lever, by_id.get(lever.lever_id))
    if others:
        lines += ["## Further levers", ""]
        for number, other in enumerate(others, start=len(vital.levers) + 1):
            lines += _in_short(number, other, by_id.get(other.lever_id))
    return "\n".join(lines).rstrip() + "\n"


def _in_full(number: int, lever: VitalLever, assessment: LeverAssessment | None) -> list[str]:
    lines = [f"### {number}. {lever.name}", "", lever.description, ""]
    if assessment is not None:
        degree = assessment.strategic_importance
        lines += [f"**Importance: {degree}.** {assessment.justification}", ""]
    lines += [f"**Consequences.** {lever.consequences}", ""]
    lines += [f"{index}. {option}" for index, option in enumerate(lever.options, start=1)]
    lines += ["", f"**Works with.** {lever.synergy_text}", ""]
    lines += [f"**Works against.** {lever.conflict_text}", "", f"> {lever.review}", ""]
    return lines


def _in_short(number: int, lever: EnrichedLever, assessment: LeverAssessment | None) -> list[str]:
    degree = f" ({assessment.strategic_importance})" if assessment is not None else ""
    lines = [f"### {number}. {lever.name}{degree}", "", lever.description, ""]
    lines += [f"{index}. {option}" for index, option in enumerate(lever.options, start=1)]
    return [*lines, ""]


class StrategicDecisionsMarkdown(Step):
    enriched = EnrichLevers.raw.input
    vital = FocusOnVitalFewLevers.raw.input

    markdown = text("002-14-strategic_decisions.md")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        vital = self.vital
        chosen = {lever.lever_id for lever in vital.levers}
        others = [x for x in self.enriched.characterized_levers if x.lever_id not in chosen]
        lost = (self.enriched.model_extra or {}).get("not_characterized_names", [])
        yield self.markdown, render(vital, others, lost)
