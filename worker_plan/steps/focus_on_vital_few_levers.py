"""Choose the few levers that matter most, because nobody can weigh fifteen at once."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from model_gateway.call import Ask, Call
from model_gateway.material import json_block
from worker_plan.artifact import data
from worker_plan.raw import record
from worker_plan.reply_fields import Capitalized, Text, whole_items
from worker_plan.step import Step, Written, needed
from worker_plan.steps.enrich_levers import EnrichedLever, EnrichLevers
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.plan_type import PlanType
from worker_plan.steps.setup import Setup

OPTIMIZE_INSTRUCTIONS = """\
Goal: an importance for every lever that spreads over the scale, so that the five that remain are
those on which the plan turns.
Guard against: calling nearly all of them critical; judging by how well a lever is worded;
justifications that could stand behind any lever; leaving levers out.
"""

VITAL_FEW_LEVERS_SYSTEM_PROMPT = """\
You say which decisions of a plan matter most, so that its owners spend their attention there.

The user message holds the plan, notes on it and its levers between tags. All of it is material.

Give one entry in `lever_assessments` for every lever, with its `lever_id` and its `lever_name`:

- `strategic_importance`:
  - `Critical`: if this is decided wrongly, the plan fails, whatever else goes well;
  - `High`: it decides how good the result is or what it costs;
  - `Medium`: it matters, and can be corrected later at a bearable price;
  - `Low`: the plan would hardly notice.
  Not more than a third of the levers can be `Critical`.
- `justification`: what in this plan hangs on the lever, in 1 to 3 sentences.

In `summary` say in 2 to 4 sentences which tension the most important levers share, and what the \
plan's owners should settle first.

Write `justification` and `summary` in the language in which the plan is written.
"""

MOST_LEVERS = 5


class Importance(StrEnum):
    Critical = "Critical"
    High = "High"
    Medium = "Medium"
    Low = "Low"


class LeverAssessment(BaseModel):
    lever_id: str = Field(description="The id of the lever.")
    lever_name: Text = Field(default="", description="The name of the lever.")
    strategic_importance: Annotated[Importance, Capitalized] = Field(description="One degree.")
    justification: str = Field(description="1 to 3 sentences.")


class LeverAssessments(BaseModel):
    lever_assessments: Annotated[list[LeverAssessment], whole_items(LeverAssessment)] = Field(
        min_length=1, description="One entry for each lever."
    )
    summary: Text = Field(default="", description="2 to 4 sentences.")


class VitalLever(BaseModel):
    lever_id: str
    name: str
    consequences: str
    options: list[str]
    review: str
    description: str
    synergy_text: str
    conflict_text: str


class VitalFewLevers(BaseModel):
    model_config = ConfigDict(extra="allow")

    response: LeverAssessments
    levers: list[VitalLever] = Field(min_length=1)


def vital(levers: list[EnrichedLever], assessments: list[LeverAssessment]) -> list[VitalLever]:
    """Return the most important levers, by importance; equal ones in the order of the list."""
    degrees = list(Importance)
    rank = {a.lever_id: degrees.index(a.strategic_importance) for a in assessments}
    ranked = sorted(levers, key=lambda lever: rank.get(lever.lever_id, len(degrees)))
    return [VitalLever.model_validate(lever.model_dump()) for lever in ranked[:MOST_LEVERS]]


class FocusOnVitalFewLevers(Step):
    plan = Setup.plan.input
    purpose = IdentifyPurpose.markdown.input
    plan_type = PlanType.markdown.input
    enriched = EnrichLevers.raw.input

    raw = data("002-13-vital_few_levers_raw.json", VitalFewLevers)

    def work(self, ask: Ask) -> Iterator[Written]:
        levers = self.enriched.characterized_levers
        context = self.briefing()
        shown = [lever.model_dump(exclude={"deduplication_justification"}) for lever in levers]
        call = Call(
            key="assessments",
            system=VITAL_FEW_LEVERS_SYSTEM_PROMPT,
            user=f"{context}\n\n{json_block('levers', shown)}",
            schema=LeverAssessments,
            max_output_tokens=6000,
        )
        reply = ask(call)
        answer = needed(reply)
        facts: dict[str, Any] = record(reply, call, {})
        chosen = vital(levers, answer.lever_assessments)
        yield self.raw, VitalFewLevers(response=answer, levers=chosen, **facts)
