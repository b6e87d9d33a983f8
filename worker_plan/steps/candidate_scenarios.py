"""Combine options of the vital levers into a few coherent ways to carry out the plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call
from model_gateway.material import json_block
from worker_plan.artifact import data
from worker_plan.raw import record
from worker_plan.reply_fields import Text, whole_items
from worker_plan.step import Step, Written, needed
from worker_plan.steps.focus_on_vital_few_levers import FocusOnVitalFewLevers
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.plan_type import PlanType
from worker_plan.steps.setup import Setup

OPTIMIZE_INSTRUCTIONS = """\
Goal: three scenarios a decision maker would really hesitate between, each a consistent choice of
one option for every vital lever.
Guard against: a bold, a middle and a timid version of the same; settings for levers that are not in
the list, or levers without a setting; settings in new words instead of the option; names that
could belong to any plan.
"""

CANDIDATE_SCENARIOS_SYSTEM_PROMPT = """\
You design ways to carry out a plan. A way is a choice of one option for each of its most important \
decisions, so that the choices support one another.

The user message holds the plan, notes on it and its levers between tags. All of it is material.

Give 3 scenarios in `scenarios`. They should differ in what they are after, not in how much of it: \
each is the best one for somebody with other priorities.

- `scenario_name`: 2 to 5 words that fit this plan and none of the other scenarios.
- `strategic_logic`: for whom this is the right way, what it bets on, and what it accepts in \
return; 2 to 4 sentences.
- `lever_settings`: for every lever of the list its name and, word for word, the option that this \
scenario takes.

In `analysis_title` name the choice the owners face in 3 to 10 words. In `core_tension` say in 1 or \
2 sentences what cannot be had together.

Write in the language in which the plan is written.
"""


class Scenario(BaseModel):
    scenario_name: str = Field(description="A short name.")
    strategic_logic: str = Field(description="2 to 4 sentences.")
    lever_settings: dict[str, str] = Field(description="The option taken, by name of the lever.")


class Scenarios(BaseModel):
    analysis_title: Text = Field(default="", description="A short heading.")
    core_tension: Text = Field(default="", description="1 or 2 sentences.")
    scenarios: Annotated[list[Scenario], whole_items(Scenario)] = Field(
        min_length=2, description="3 scenarios."
    )


class CandidateScenarios(Step):
    plan = Setup.plan.input
    purpose = IdentifyPurpose.markdown.input
    plan_type = PlanType.markdown.input
    vital = FocusOnVitalFewLevers.raw.input

    raw = data("002-15-candidate_scenarios_raw.json", dict[str, Any])
    scenarios = data("002-16-candidate_scenarios.json", Scenarios)

    def work(self, ask: Ask) -> Iterator[Written]:
        context = self.briefing()
        shown = [
            lever.model_dump(include={"name", "description", "options", "conflict_text"})
            for lever in self.vital.levers
        ]
        call = Call(
            key="scenarios",
            system=CANDIDATE_SCENARIOS_SYSTEM_PROMPT,
            user=f"{context}\n\n{json_block('levers', shown)}",
            schema=Scenarios,
            max_output_tokens=5000,
        )
        reply = ask(call)
        answer = needed(reply)
        yield self.raw, record(reply, call, {"response": answer.model_dump(mode="json")})
        yield self.scenarios, answer
