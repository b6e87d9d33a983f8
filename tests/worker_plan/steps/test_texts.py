"""The steps that call no model: what they put on paper is all there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from tests.worker_plan.conftest import FAILED, Scripted, carry_out
from worker_plan.errors import StepError
from worker_plan.step import Step
from worker_plan.steps.candidate_scenarios import CandidateScenarios
from worker_plan.steps.enrich_levers import EnrichLevers
from worker_plan.steps.focus_on_vital_few_levers import FocusOnVitalFewLevers
from worker_plan.steps.scenarios_markdown import ScenariosMarkdown
from worker_plan.steps.select_scenario import SelectScenario
from worker_plan.steps.setup import Setup
from worker_plan.steps.start_time import StartTime
from worker_plan.steps.strategic_decisions_markdown import StrategicDecisionsMarkdown

MAKE = Callable[[type[Step]], Step]


@pytest.mark.parametrize("step", [StartTime, StrategicDecisionsMarkdown, ScenariosMarkdown])
def test_no_model_is_asked(a_copy: MAKE, step: type[Step]) -> None:
    """They do their work without a call."""
    ask = Scripted(lambda _: FAILED)
    assert carry_out(a_copy(step), ask)
    assert ask.calls == []


def test_times_are_the_same_moment(tmp_path: Path) -> None:
    """Universal and local time agree to the second, with the zone in them."""
    written = carry_out(StartTime(run_dir=str(tmp_path)), Scripted(lambda _: FAILED))
    facts = written["001-1-start_time.json"]
    assert facts.server_iso_utc.endswith("Z")
    assert datetime.fromisoformat(facts.server_iso_utc) == datetime.fromisoformat(
        facts.server_iso_local
    )
    assert facts.server_timezone_name


def test_plan_text_cannot_be_made(tmp_path: Path) -> None:
    """A missing plan text is the user's to write."""
    with pytest.raises(StepError, match=r"001-2-plan\.txt is missing .* only you can write it"):
        Setup(run_dir=str(tmp_path)).run()


def test_every_lever_is_on_paper_once(a_copy: MAKE) -> None:
    """The vital ones come first and in full, the others after them."""
    task = a_copy(StrategicDecisionsMarkdown)
    folder = Path(task.run_dir)
    written = carry_out(task, Scripted(lambda _: FAILED))["002-14-strategic_decisions.md"]
    vital = FocusOnVitalFewLevers.raw.load(folder).levers
    levers = EnrichLevers.raw.load(folder).characterized_levers
    headings = [line for line in written.splitlines() if line.startswith("### ")]
    assert len(headings) == len(levers)
    for number, lever in enumerate(vital, start=1):
        assert headings[number - 1] == f"### {number}. {lever.name}"
        assert lever.synergy_text in written
    for lever in levers:
        assert all(option in written for option in lever.options)


def test_chosen_scenario_comes_first(a_copy: MAKE) -> None:
    """Its reasons stand under its name, and every other scenario follows."""
    task = a_copy(ScenariosMarkdown)
    folder = Path(task.run_dir)
    written = carry_out(task, Scripted(lambda _: FAILED))["002-19-scenarios.md"]
    choice = SelectScenario.selected.load(folder).final_choice
    names = [one.scenario_name for one in CandidateScenarios.scenarios.load(folder).scenarios]
    assert f"## The chosen scenario: {choice.chosen_scenario_name}\n\n{choice.justification}" in (
        written
    )
    others = written.partition("## The other scenarios")[2]
    assert [name for name in names if f"### {name}\n" in others] == [
        name for name in names if name != choice.chosen_scenario_name
    ]
