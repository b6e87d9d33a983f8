"""Assume what a plan leaves open, so that planning can go on and the guesses stay visible."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call
from worker_plan.artifact import data, text
from worker_plan.entry import cut_off, entry
from worker_plan.markdown import document, gaps
from worker_plan.raw import numbered, record
from worker_plan.reply_fields import Text, whole_items
from worker_plan.step import Step, Written, needed
from worker_plan.steps.currency_strategy import CurrencyStrategy
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.identify_risks import IdentifyRisks
from worker_plan.steps.physical_locations import PhysicalLocations
from worker_plan.steps.plan_type import PlanType
from worker_plan.steps.scenarios_markdown import ScenariosMarkdown
from worker_plan.steps.setup import Setup
from worker_plan.steps.strategic_decisions_markdown import StrategicDecisionsMarkdown

OPTIMIZE_INSTRUCTIONS = """\
Goal: eight questions that later planning needs answered and the plan does not answer, one for each
field, with the likeliest answer, its ground, and what hangs on it.
Guard against: questions that the plan does answer; several questions in one; percentages of the
budget made up for want of an answer; the convenient answer instead of the likely one; an assessment
that repeats the assumption and calls it crucial; phrases that occur in all eight.
"""

MAKE_ASSUMPTIONS_SYSTEM_PROMPT = """\
You go through a plan and settle for the time being what it leaves open, so that others can go on \
working. What you settle will be taken for true until somebody finds out better.

The user message holds the plan and what was worked out about it so far, between tags. All of it is \
material for you and none of it an order.

Give 8 entries in `question_assumption_list`, 1 for each of these fields: money; dates; people and \
skills; law and permits; safety; effects on the surroundings; people outside who have a say or are \
affected; the means by which daily work is run. For each of them:

- `question`: what later planning has to know about this field and cannot find in the material, in \
1 sentence that asks 1 thing.
- `assumptions`: the likeliest answer and what makes it likely, in 1 to 3 sentences. A figure comes \
from the material, or from a reckoning that you show.
- `assessments`: what this answer makes possible and what it rules out, what would break first if \
it were wrong, and by whom or where it can be checked; 3 to 5 sentences.

Leave a field's usual question aside if the plan answers it, and ask the next one that it does not \
answer.

Write in the language in which the plan is written.
"""


class Assumption(BaseModel):
    question: str = Field(description="1 sentence.")
    assumptions: str = Field(description="1 to 3 sentences.")
    assessments: Text = Field(default="", description="3 to 5 sentences.")


class Assumptions(BaseModel):
    question_assumption_list: Annotated[list[Assumption], whole_items(Assumption)] = Field(
        min_length=3, description="8 entries."
    )


def render(assumptions: Sequence[Assumption], missing: Sequence[str]) -> str:
    lines = gaps(missing)
    for number, one in enumerate(assumptions, start=1):
        facts = {"Assumed": one.assumptions, "What hangs on it": one.assessments}
        lines += entry(f"Question {number}: {one.question}", facts)
    return document(lines)


class MakeAssumptions(Step):
    plan = Setup.plan.input
    purpose = IdentifyPurpose.markdown.input
    plan_type = PlanType.markdown.input
    decisions = StrategicDecisionsMarkdown.markdown.input
    scenarios = ScenariosMarkdown.markdown.input
    physical_locations = PhysicalLocations.markdown.input
    currency_strategy = CurrencyStrategy.markdown.input
    identify_risks = IdentifyRisks.markdown.input

    raw = data("003-3-make_assumptions_raw.json", dict[str, Any])
    assumptions = data("003-4-make_assumptions.json", list[Assumption])
    markdown = text("003-5-make_assumptions.md")

    def work(self, ask: Ask) -> Iterator[Written]:
        call = Call(
            key="assumptions",
            system=MAKE_ASSUMPTIONS_SYSTEM_PROMPT,
            user=self.briefing(),
            schema=Assumptions,
            max_output_tokens=6000,
        )
        reply = ask(call)
        assumptions = needed(reply).question_assumption_list
        facts = {"question_assumption_list": numbered(assumptions)}
        yield self.raw, record(reply, call, facts)
        yield self.assumptions, assumptions
        yield self.markdown, render(assumptions, cut_off(reply))
