"""Reply shapes modelled on the artifacts of the host pipeline."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, Field

Level = Literal["low", "medium", "high"]


class Lever(BaseModel):
    """One lever."""

    lever_index: int
    name: str
    consequences: str
    options: list[str]
    review_lever: str


class Levers(BaseModel):
    """The reply of the step that everyone optimizes first."""

    strategic_rationale: str
    levers: list[Lever]
    summary: str


class Decision(BaseModel):
    """What is done with one lever."""

    lever_id: str
    classification: Literal["keep", "absorb", "remove"]
    justification: str


class Decisions(BaseModel):
    """One decision per lever."""

    decisions: list[Decision]


class Assessment(BaseModel):
    """How important one lever is."""

    lever_id: str
    lever_name: str
    strategic_importance: Literal["Critical", "High", "Medium", "Low"]
    justification: str


class Assessments(BaseModel):
    """One assessment per lever."""

    lever_assessments: list[Assessment]
    summary: str


class Scenario(BaseModel):
    """A setting for every lever."""

    scenario_name: str
    strategic_logic: str
    lever_settings: dict[str, str]


class Scenarios(BaseModel):
    """Exactly three scenarios."""

    analysis_title: str
    core_tension: str
    scenarios: Annotated[list[Scenario], Field(min_length=3, max_length=3)]


class Fit(BaseModel):
    """How well one scenario fits."""

    scenario_name: str
    fit_score: int = Field(ge=1, le=10)
    fit_assessment: str


class Choice(BaseModel):
    """Which one is taken."""

    chosen_scenario_name: str
    justification: str


class Selection(BaseModel):
    """Every scenario judged, one taken."""

    scenario_assessments: list[Fit]
    final_choice: Choice


class Task(BaseModel):
    """A task and what it waits for."""

    dependent_task_id: str
    depends_on_task_id_list: list[str]
    depends_on_task_explanation_list: list[str]


class Dependencies(BaseModel):
    """One entry per task."""

    task_dependency_details: list[Task]


class Duration(BaseModel):
    """How long one task takes."""

    task_id: str
    delay_risks: str
    mitigation_strategy: str
    days_min: int
    days_max: int
    days_realistic: int


class Durations(BaseModel):
    """One entry per task."""

    task_details: list[Duration]


class Subtask(BaseModel):
    """A numbered subtask."""

    subtask_wbs_number: str
    subtask_title: str


class Phase(BaseModel):
    """A numbered phase."""

    major_phase_wbs_number: str
    major_phase_title: str
    subtasks: list[Subtask]


class Breakdown(BaseModel):
    """A work breakdown in two levels."""

    major_phase_details: list[Phase]


class Assumption(BaseModel):
    """An assumption with an identifier of its own."""

    assumption_id: str
    statement: str


class Failure(BaseModel):
    """A failure that follows from an assumption."""

    failure_mode_index: int
    root_cause_assumption_id: str
    failure_mode_title: str
    likelihood_5: int
    early_warning_signs: list[str]


class Premortem(BaseModel):
    """Assumptions, and failures that refer to them."""

    assumptions_to_kill: list[Assumption]
    failure_modes: list[Failure]


class Money(BaseModel):
    """One currency."""

    currency: str = Field(pattern="^[A-Z]{3}$")
    consideration: str


class Currencies(BaseModel):
    """What is paid in which currency, and until when."""

    money_involved: bool
    currency_list: list[Money]
    primary_currency: str
    start_date: date
    end_date: date
    risk: Level
    template: str | None
    share: float = Field(ge=0, le=1)
    tags: list[str]


class MemberNote(BaseModel):
    """Something about a member of a team who has a number."""

    id: int
    justification: str


class MemberNotes(BaseModel):
    """One note per member."""

    team_members: list[MemberNote]


ALL: tuple[type[BaseModel], ...] = (
    Levers, Decisions, Assessments, Scenarios, Selection, Dependencies, Durations, Breakdown,
    Premortem, Currencies, MemberNotes,
)  # fmt: skip
