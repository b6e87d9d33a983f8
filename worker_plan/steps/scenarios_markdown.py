"""Write the scenarios and the choice among them as Markdown, for all later steps."""

from __future__ import annotations

from collections.abc import Iterator

from model_gateway.call import Ask
from worker_plan.artifact import text
from worker_plan.step import Step, Written
from worker_plan.steps.candidate_scenarios import CandidateScenarios, Scenario, Scenarios
from worker_plan.steps.select_scenario import SelectedScenario, SelectScenario


def render(candidates: Scenarios, selected: SelectedScenario) -> str:
    choice = selected.final_choice
    scores = {one.scenario_name: one for one in selected.scenario_assessments}
    lines = [f"# {candidates.analysis_title or 'Scenarios'}", ""]
    if candidates.core_tension:
        lines += [candidates.core_tension, ""]
    lines += ["## The plan", ""]
    lines += [f"- {text}" for text in selected.plan_characteristics.model_dump().values()]
    lines += ["", f"## The chosen scenario: {choice.chosen_scenario_name}", ""]
    lines += [choice.justification, ""]
    first = [s for s in candidates.scenarios if s.scenario_name == choice.chosen_scenario_name]
    others = [s for s in candidates.scenarios if s.scenario_name != choice.chosen_scenario_name]
    for scenario in first:
        lines += _lines(scenario)
    lines += ["## The other scenarios", ""]
    for scenario in others:
        score = scores.get(scenario.scenario_name)
        lines += [f"### {scenario.scenario_name}", ""]
        if score is not None:
            lines += [f"**{score.fit_score} of 10.** {score.fit_assessment}", ""]
        lines += _lines(scenario)
    return "\n".join(lines).rstrip() + "\n"


def _lines(scenario: Scenario) -> list[str]:
    settings = [f"- **{name}:** {option}" for name, option in scenario.lever_settings.items()]
    return [scenario.strategic_logic, "", *settings, ""]


class ScenariosMarkdown(Step):
    candidates = CandidateScenarios.scenarios.input
    selected = SelectScenario.selected.input

    markdown = text("002-19-scenarios.md")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        yield self.markdown, render(self.candidates, self.selected)
