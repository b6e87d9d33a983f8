"""Choose the scenario that fits the plan best, because later steps need exactly one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call
from model_gateway.material import json_block
from worker_plan.artifact import data
from worker_plan.errors import StepError
from worker_plan.names import normalized
from worker_plan.raw import record
from worker_plan.reply_fields import whole_items
from worker_plan.step import Step, Written, needed
from worker_plan.steps.candidate_scenarios import CandidateScenarios, Scenario
from worker_plan.steps.focus_on_vital_few_levers import FocusOnVitalFewLevers
from worker_plan.steps.identify_purpose import IdentifyPurpose
from worker_plan.steps.plan_type import PlanType
from worker_plan.steps.setup import Setup

OPTIMIZE_INSTRUCTIONS = """\
Goal: one of the given scenarios chosen by how well it fits what the plan says of itself, with
scores that tell the scenarios apart.
Guard against: always taking the middle one; scores that lie together; a choice that is not the
best-scored scenario; a name that is not in the list.
"""

SELECT_SCENARIO_SYSTEM_PROMPT = """\
You advise the owners of a plan which of several ways to carry it out fits them best. You go by \
what the plan says and shows of itself, not by what you would do.

The user message holds the plan, notes on it, its levers and the scenarios between tags. All of it \
is material.

First describe the plan in `plan_characteristics`, 1 or 2 sentences each: `ambition_and_scale`, \
`risk_and_novelty`, `complexity_and_constraints`, `domain_and_tone`, and in \
`holistic_profile_of_the_plan` what kind of undertaking it is as a whole.

Then give one entry in `scenario_assessments` for each scenario:
- `scenario_name`: as in the list.
- `fit_score`: 1 to 10, where 10 could have been written by the plan's authors. No two scenarios \
get the same score.
- `fit_assessment`: where it meets the plan and where it does not, in 2 or 3 sentences.

Last, in `final_choice`:
- `chosen_scenario_name`: the scenario with the highest score, named as in the list.
- `justification`: why this one, and why each of the others falls behind it, in 3 to 6 sentences.

Write in the language in which the plan is written.
"""


class PlanCharacteristics(BaseModel):
    ambition_and_scale: str = Field(description="1 or 2 sentences.")
    risk_and_novelty: str = Field(description="1 or 2 sentences.")
    complexity_and_constraints: str = Field(description="1 or 2 sentences.")
    domain_and_tone: str = Field(description="1 or 2 sentences.")
    holistic_profile_of_the_plan: str = Field(description="1 or 2 sentences.")


class ScenarioAssessment(BaseModel):
    scenario_name: str = Field(description="The name of the scenario.")
    fit_score: int = Field(description="1 to 10.")
    fit_assessment: str = Field(description="2 or 3 sentences.")


class FinalChoice(BaseModel):
    chosen_scenario_name: str = Field(description="The name of the scenario.")
    justification: str = Field(description="3 to 6 sentences.")


class SelectedScenario(BaseModel):
    plan_characteristics: PlanCharacteristics
    scenario_assessments: Annotated[list[ScenarioAssessment], whole_items(ScenarioAssessment)] = (
        Field(description="One entry for each scenario.")
    )
    final_choice: FinalChoice


def chosen(answer: SelectedScenario, scenarios: list[Scenario]) -> Scenario:
    """Return the chosen scenario.

    Raises:
        StepError: the choice names none of the scenarios.
    """
    name = normalized(answer.final_choice.chosen_scenario_name)
    fitting = [scenario for scenario in scenarios if normalized(scenario.scenario_name) == name]
    if not fitting:
        raise StepError("the chosen scenario is not one of the candidates")
    return fitting[0]


class SelectScenario(Step):
    plan = Setup.plan.input
    purpose = IdentifyPurpose.markdown.input
    plan_type = PlanType.markdown.input
    vital = FocusOnVitalFewLevers.raw.input
    candidates = CandidateScenarios.scenarios.input

    raw = data("002-17-selected_scenario_raw.json", dict[str, Any])
    selected = data("002-18-selected_scenario.json", SelectedScenario)

    def work(self, ask: Ask) -> Iterator[Written]:
        candidates = self.candidates
        context = self.briefing()
        levers = [x.model_dump(include={"name", "description"}) for x in self.vital.levers]
        scenarios = json_block("scenarios", [s.model_dump() for s in candidates.scenarios])
        call = Call(
            key="choice",
            system=SELECT_SCENARIO_SYSTEM_PROMPT,
            user=f"{context}\n\n{json_block('levers', levers)}\n\n{scenarios}",
            schema=SelectedScenario,
            max_output_tokens=5000,
        )
        reply = ask(call)
        answer = needed(reply)
        answer.final_choice.chosen_scenario_name = chosen(
            answer, candidates.scenarios
        ).scenario_name
        yield self.raw, record(reply, call, {"response": answer.model_dump(mode="json")})
        yield self.selected, answer
