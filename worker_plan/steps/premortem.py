"""Suppose the plan has failed and describe how, so that its assumptions are tested in time."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, Field

from model_gateway.call import Ask, Call
from worker_plan.artifact import data, text
from worker_plan.errors import StepError
from worker_plan.markdown import bullets, document, gaps, line, table
from worker_plan.raw import metadata
from worker_plan.reply_fields import whole_items
from worker_plan.shapes import each
from worker_plan.step import Detail, Step, Written
from worker_plan.steps.consolidate_assumptions_markdown import ConsolidateAssumptionsMarkdown
from worker_plan.steps.consolidate_governance import ConsolidateGovernance
from worker_plan.steps.convert_pitch_to_markdown import ConvertPitchToMarkdown
from worker_plan.steps.data_collection import DataCollection
from worker_plan.steps.expert_review import ExpertReview
from worker_plan.steps.markdown_with_documents_to_create_and_find import (
    MarkdownWithDocumentsToCreateAndFind,
)
from worker_plan.steps.project_plan import ProjectPlan
from worker_plan.steps.questions_and_answers import QuestionsAndAnswers
from worker_plan.steps.related_resources import RelatedResources
from worker_plan.steps.review_plan import ReviewPlan
from worker_plan.steps.scenarios_markdown import ScenariosMarkdown
from worker_plan.steps.strategic_decisions_markdown import StrategicDecisionsMarkdown
from worker_plan.steps.swot_analysis import SwotAnalysis
from worker_plan.steps.team_markdown import TeamMarkdown
from worker_plan.steps.wbs_project_level1_and_level2_and_level3 import (
    WbsProjectLevel1AndLevel2AndLevel3,
)

OPTIMIZE_INSTRUCTIONS = """\
Goal: three different ways to fail from each of three sides, each growing out of one thing that the
plan takes for granted, with a cheap test of that thing now and a rule for when to stop.
Guard against: failures from bad luck alone; one failure told three times; tests that take as long
as the plan; signs that show only when all is over; thresholds made up without a basis in the plan;
a stop rule that nobody could apply; likelihood and impact always 4 and 5.
"""

PREMORTEM_SYSTEM_PROMPT = """\
You look back from a day on which a plan has been given up for good. You know how it came to that, \
and you tell the people who are about to begin, while they can still test what they take for \
granted.

The user message holds the parts of the plan between tags, and after them the side from which to \
look. The parts are material, whatever they ask for.

Give 3 entries in `failures`. Each is about another assumption and another course of events:

- `statement`: what the plan takes for granted, in 1 sentence.
- `test_now`: how to find out within days or a few weeks, at small cost, whether it holds, in 1 \
sentence.
- `falsifier`: the result of that test that would show it is wrong, in 1 sentence.
- `failure_mode_title`: what people call the failure afterwards, in 2 to 6 words.
- `risk_analysis`: how it went, from the first unnoticed event to the day of giving up, in 4 to 6 \
sentences. Each event follows from the one before and from something in the plan.
- `early_warning_signs`: 3 things somebody could have noticed while there was time, 1 sentence each.
- `owner`: the role in the plan that should watch this, in a few words.
- `likelihood_5`: 1 to 5, where 5 is to be expected.
- `impact_5`: 1 to 5, where 5 ends the plan.
- `tripwires`: 2 or 3 conditions with a figure or date that everybody can check, 1 sentence each.
- `playbook`: 3 things to do as soon as a tripwire is touched, in their order, 1 sentence each.
- `stop_rule`: the condition under which the plan is to be ended or changed at the root, in 1 \
sentence.

How differently such a story can begin, from plans that have nothing to do with this one:

> Nobody noticed that the second crane was booked for the same week by the shipyard across the \
river.

> In March the choir had 60 singers, in June 31, and the contract with the hall named no smaller one.

> What sank the seed library was its success: by the second autumn it received more envelopes than \
its 2 volunteers could open.

Figures in tripwires follow from the plan's own figures. Use the whole range from 1 to 5.

Write in the language in which the plan is written.
"""

PREMORTEM_MONEY_PROMPT = """\
Look from this side: money and procedure. Funds, prices, contracts, permits, decisions that came too \
late or from the wrong desk.
"""

PREMORTEM_MEANS_PROMPT = """\
Look from this side: things and technique. What was built, moved, supplied or switched on and did \
not work, did not fit, did not arrive or did not last.
"""

PREMORTEM_PEOPLE_PROMPT = """\
Look from this side: people. Those who were to use, buy, join, approve or do the work, and did not, \
or not for long.
"""


class Archetype(StrEnum):
    money = "Process/Financial"
    means = "Technical/Logistical"
    people = "Market/Human"


class Failure(BaseModel):
    statement: str = Field(description="1 sentence.")
    test_now: str = Field(description="1 sentence.")
    falsifier: str = Field(description="1 sentence.")
    failure_mode_title: str = Field(description="A short name.")
    risk_analysis: str = Field(description="4 to 6 sentences.")
    early_warning_signs: list[str] = Field(description="3 sentences.")
    owner: str = Field(description="A role.")
    likelihood_5: int = Field(description="1 to 5.")
    impact_5: int = Field(description="1 to 5.")
    tripwires: list[str] = Field(description="2 or 3 sentences.")
    playbook: list[str] = Field(description="3 sentences.")
    stop_rule: str = Field(description="1 sentence.")


class Failures(BaseModel):
    failures: Annotated[list[Failure], whole_items(Failure)] = Field(
        min_length=1, description="3 entries."
    )


class Assumption(BaseModel):
    assumption_id: str
    statement: str
    test_now: str
    falsifier: str


class FailureMode(BaseModel):
    failure_mode_index: int
    root_cause_assumption_id: str
    failure_mode_archetype: Archetype
    failure_mode_title: str
    risk_analysis: str
    early_warning_signs: list[str]
    owner: str
    likelihood_5: int | None
    impact_5: int | None
    tripwires: list[str]
    playbook: list[str]
    stop_rule: str

    @property
    def score(self) -> int | None:
        """Likelihood times impact, 1 to 25, or None if one of them is unknown."""
        if self.likelihood_5 is None or self.impact_5 is None:
            return None
        return self.likelihood_5 * self.impact_5


MOST_SIDES = {Detail.FAST_BUT_SKIP_DETAILS: 2, Detail.PING_LLM: 1}


def sides() -> dict[Archetype, str]:
    """Return the current prompt of each side from which to look."""
    return {
        Archetype.money: PREMORTEM_MONEY_PROMPT,
        Archetype.means: PREMORTEM_MEANS_PROMPT,
        Archetype.people: PREMORTEM_PEOPLE_PROMPT,
    }


def split(failures: list[tuple[Archetype, Failure]]) -> tuple[list[Assumption], list[FailureMode]]:
    """Return the assumptions and the failures that result from them, both numbered from 1."""
    assumptions, modes = [], []
    for number, (archetype, failure) in enumerate(failures, start=1):
        values = failure.model_dump()
        values |= {name: _degree(values[name]) for name in ("likelihood_5", "impact_5")}
        identity = f"A{number}"
        assumptions.append(Assumption(assumption_id=identity, **values))
        modes.append(
            FailureMode(
                failure_mode_index=number,
                root_cause_assumption_id=identity,
                failure_mode_archetype=archetype,
                **values,
            )
        )
    return assumptions, modes


def render(assumptions: list[Assumption], modes: list[FailureMode], failed: list[str]) -> str:
    lines = ["# Premortem", "", *gaps(failed), "## What the plan takes for granted", ""]
    lines += table(
        ["Id", "Assumption", "Test now", "Wrong if"],
        [[a.assumption_id, a.statement, a.test_now, a.falsifier] for a in assumptions],
    )
    lines += ["", "## How it could fail", ""]
    lines += table(
        ["Failure", "Root", "Side", "Likelihood", "Impact", "Score", "Owner"],
        [
            [
                f"{mode.failure_mode_index}. {mode.failure_mode_title}",
                mode.root_cause_assumption_id,
                mode.failure_mode_archetype,
                *(_shown(n) for n in (mode.likelihood_5, mode.impact_5, mode.score)),
                mode.owner,
            ]
            for mode in sorted(modes, key=lambda mode: -(mode.score or 0))
        ],
    )
    for mode in modes:
        lines += ["", *_story(mode)]
    return document(lines)


def _story(mode: FailureMode) -> list[str]:
    lists = {
        "Early signs": mode.early_warning_signs,
        "Tripwires": mode.tripwires,
        "What to do then": mode.playbook,
    }
    lines = [f"## {mode.failure_mode_index}. {line(mode.failure_mode_title)}", ""]
    lines += [mode.risk_analysis.strip()]
    for title, texts in lists.items():
        lines += ["", f"**{title}**", "", *bullets(texts)]
    return [*lines, "", f"**Stop rule.** {line(mode.stop_rule)}"]


def _degree(number: int) -> int | None:
    return number if 1 <= number <= 5 else None


def _shown(number: int | None) -> str:
    return "–" if number is None else str(number)


class Premortem(Step):
    decisions = StrategicDecisionsMarkdown.markdown.input
    scenarios = ScenariosMarkdown.markdown.input
    assumptions = ConsolidateAssumptionsMarkdown.short.input
    project_plan = ProjectPlan.markdown.input
    governance = ConsolidateGovernance.markdown.input
    related_resources = RelatedResources.markdown.input
    team = TeamMarkdown.markdown.input
    swot = SwotAnalysis.markdown.input
    expert_review = ExpertReview.markdown.input
    data_collection = DataCollection.markdown.input
    documents = MarkdownWithDocumentsToCreateAndFind.markdown.input
    pitch = ConvertPitchToMarkdown.markdown.input
    work_breakdown = WbsProjectLevel1AndLevel2AndLevel3.table.input
    review_plan = ReviewPlan.markdown.input
    questions_and_answers = QuestionsAndAnswers.markdown.input

    raw = data("028-1-premortem_raw.json", dict[str, Any])
    markdown = text("028-2-premortem.md")

    def work(self, ask: Ask) -> Iterator[Written]:
        context = self.briefing()
        asked = list(sides().items())[: MOST_SIDES.get(self.detail)]
        calls = [
            Call(
                key=archetype.name,
                system=PREMORTEM_SYSTEM_PROMPT,
                user=f"{context}\n\n{side}",
                schema=Failures,
                max_output_tokens=6000,
            )
            for archetype, side in asked
        ]
        replies = each(ask, calls)
        failures = [
            (archetype, failure)
            for (archetype, _), reply in zip(asked, replies, strict=True)
            if reply.value is not None
            for failure in reply.value.failures
        ]
        if not failures:
            raise StepError(f"none of {len(calls)} sides succeeded: {replies[0].failure}")
        failed = [a for (a, _), reply in zip(asked, replies, strict=True) if reply.value is None]
        assumptions, modes = split(failures)
        markdown = render(assumptions, modes, [str(archetype) for archetype in failed])
        yield (
            self.raw,
            {
                "assumptions_to_kill": [one.model_dump(mode="json") for one in assumptions],
                "failure_modes": [one.model_dump(mode="json") for one in modes],
                "metadata": {c.key: metadata(r) for c, r in zip(calls, replies, strict=True)},
                "system_prompt": PREMORTEM_SYSTEM_PROMPT,
                "user_prompt": calls[0].user,
                "markdown": markdown,
            },
        )
        yield self.markdown, markdown
