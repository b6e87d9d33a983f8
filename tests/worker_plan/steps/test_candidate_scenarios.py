"""Scenarios: what the model is shown, and how few of them are too few."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.worker_plan.conftest import Scripted, carry_out
from worker_plan.errors import StepError
from worker_plan.step import Step
from worker_plan.steps.candidate_scenarios import CandidateScenarios
from worker_plan.steps.focus_on_vital_few_levers import FocusOnVitalFewLevers

MAKE = Callable[[type[Step]], Step]


def scenario(name: str) -> dict[str, Any]:
    """Return a scenario."""
    return {"scenario_name": name, "strategic_logic": "L.", "lever_settings": {"Oven": "Buy."}}


def test_vital_levers_are_shown(a_copy: MAKE) -> None:
    """Each vital lever's name and options reach the model."""
    task = a_copy(CandidateScenarios)
    ask = Scripted(lambda _: {"scenarios": [scenario("A"), scenario("B")]})
    written = carry_out(task, ask)["002-16-candidate_scenarios.json"]
    for lever in FocusOnVitalFewLevers.raw.load(Path(task.run_dir)).levers:
        assert lever.name in ask.sent
    assert [one.scenario_name for one in written.scenarios] == ["A", "B"]


def test_broken_scenario_costs_itself(a_copy: MAKE) -> None:
    """Two whole ones are enough; one is none to choose from."""
    broken = scenario("C") | {"lever_settings": ["Buy."]}
    two = Scripted(lambda _: {"scenarios": [scenario("A"), broken, scenario("B")]})
    assert carry_out(a_copy(CandidateScenarios), two)
    one = Scripted(lambda _: {"scenarios": [scenario("A"), broken]})
    with pytest.raises(StepError, match="no usable reply"):
        carry_out(a_copy(CandidateScenarios), one)
