"""The choice must be one of the scenarios."""

from __future__ import annotations

import pytest

from worker_plan.errors import StepError
from worker_plan.steps.candidate_scenarios import Scenario
from worker_plan.steps.select_scenario import SelectedScenario, chosen

SCENARIOS = [
    Scenario(scenario_name=name, strategic_logic="L.", lever_settings={})
    for name in ("Bread first", "パン優先")
]


def answer(name: str) -> SelectedScenario:
    """Return a reply that chose `name`."""
    sides = (
        "ambition_and_scale", "risk_and_novelty", "complexity_and_constraints", "domain_and_tone",
        "holistic_profile_of_the_plan",
    )  # fmt: skip
    return SelectedScenario.model_validate(
        {
            "plan_characteristics": dict.fromkeys(sides, "C."),
            "scenario_assessments": [],
            "final_choice": {"chosen_scenario_name": name, "justification": "J."},
        }
    )


@pytest.mark.parametrize("name", ["Bread first", "BREAD FIRST.", "“bread-first”", " Bread  first "])
def test_choice_is_found_however_it_is_written(name: str) -> None:
    """Case, punctuation and spaces do not matter."""
    assert chosen(answer(name), SCENARIOS) is SCENARIOS[0]


def test_choice_in_another_script_is_found() -> None:
    """Marks around a name do not matter there either."""
    assert chosen(answer("「パン優先」"), SCENARIOS) is SCENARIOS[1]


@pytest.mark.parametrize("name", ["Cake first", "", "!"])
def test_choice_of_none_of_them_is_a_failure(name: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(StepError, match="is not one of the candidates"):
        chosen(answer(name), SCENARIOS)
