"""Write the whole plan as one page that can be read, printed and sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from markupsafe import Markup

from model_gateway.call import Ask
from worker_plan import gantt
from worker_plan.artifact import text
from worker_plan.language import direction
from worker_plan.markdown import line
from worker_plan.outline import Entry, entries
from worker_plan.page import fragment, page, text_of
from worker_plan.schedule import Schedule, read_csv
from worker_plan.step import Step, Written
from worker_plan.steps.consolidate_assumptions_markdown import ConsolidateAssumptionsMarkdown
from worker_plan.steps.consolidate_governance import ConsolidateGovernance
from worker_plan.steps.convert_pitch_to_markdown import ConvertPitchToMarkdown
from worker_plan.steps.create_schedule import CreateSchedule
from worker_plan.steps.create_wbs_level1 import CreateWbsLevel1
from worker_plan.steps.data_collection import DataCollection
from worker_plan.steps.executive_summary import ExecutiveSummary
from worker_plan.steps.expert_review import ExpertReview
from worker_plan.steps.markdown_with_documents_to_create_and_find import (
    MarkdownWithDocumentsToCreateAndFind,
)
from worker_plan.steps.premise_attack import PremiseAttack
from worker_plan.steps.premortem import Premortem
from worker_plan.steps.project_plan import ProjectPlan
from worker_plan.steps.questions_and_answers import QuestionsAndAnswers
from worker_plan.steps.redline_gate import RedlineGate
from worker_plan.steps.related_resources import RelatedResources
from worker_plan.steps.review_plan import ReviewPlan
from worker_plan.steps.scenarios_markdown import ScenariosMarkdown
from worker_plan.steps.self_audit import SelfAudit
from worker_plan.steps.setup import Setup
from worker_plan.steps.strategic_decisions_markdown import StrategicDecisionsMarkdown
from worker_plan.steps.swot_analysis import SwotAnalysis
from worker_plan.steps.team_markdown import TeamMarkdown
from worker_plan.steps.wbs_project_level1_and_level2_and_level3 import (
    WbsProjectLevel1AndLevel2AndLevel3,
)


@dataclass(frozen=True, kw_only=True)
class Part:
    """One part of the report: its title, its content and what is missing in it."""

    anchor: str
    title: str
    about: str
    body: Markup
    gaps: tuple[str, ...] = ()
    open: bool = False


@dataclass(frozen=True, kw_only=True)
class Group:
    title: str
    parts: list[Part]


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A note on something missing, and the part that contains it."""

    anchor: str
    title: str
    note: str


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A piece of work at the highest level with all work below it."""

    name: str
    tasks: list[Entry]


def part(title: str, about: str, markdown: str, *, open: bool = False) -> Part:  # noqa: A002
    """Return the part of the report that shows `markdown`."""
    anchor = _anchor(title)
    # Imported here because the processes of all other steps would load it, too.
    from worker_plan.prose import prose

    shown = prose(markdown, title=title, heading=4, anchor=anchor)
    return Part(
        anchor=anchor, title=title, about=about, body=shown.html, gaps=shown.gaps, open=open
    )


def phases(work: list[Entry]) -> list[Phase]:
    """Return the work breakdown by phases, without the plan as a whole."""
    below = work[1:] if work and work[0].depth == 0 else work
    groups: list[Phase] = []
    for entry in below:
        if entry.depth <= 1 or not groups:
            groups.append(Phase(name=entry.name, tasks=[]))
        else:
            groups[-1].tasks.append(entry)
    return groups


def facts(schedule: Schedule) -> list[tuple[str, str]]:
    """Return the facts about the schedule at the top of the report."""
    if schedule.start is None or schedule.end is None:
        return []
    return [
        ("first day", schedule.start.isoformat()),
        ("last day", (schedule.end - timedelta(days=1)).isoformat()),
        ("days", f"{schedule.days:,}"),
    ]


def gaps_of(groups: list[Group]) -> list[Gap]:
    return [
        Gap(anchor=f"{part.anchor}-gap-{number}", title=part.title, note=note)
        for group in groups
        for part in group.parts
        for number, note in enumerate(part.gaps, start=1)
    ]


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-")


class Report(Step):
    plan = Setup.plan.input
    redline_gate = RedlineGate.markdown.input
    premise_attack = PremiseAttack.markdown.input
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
    level1 = CreateWbsLevel1.project_title.input
    pitch = ConvertPitchToMarkdown.markdown.input
    work_breakdown = WbsProjectLevel1AndLevel2AndLevel3.table.input
    review_plan = ReviewPlan.markdown.input
    executive_summary = ExecutiveSummary.markdown.input
    create_schedule = CreateSchedule.table.input
    questions_and_answers = QuestionsAndAnswers.markdown.input
    premortem = Premortem.markdown.input
    self_audit = SelfAudit.markdown.input

    page = text("030-report.html")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        plan = self.plan
        schedule = read_csv(self.create_schedule)
        chart = gantt.fragment(schedule, direction(plan))
        groups = self._groups(plan, chart.html)
        yield (
            self.page,
            page(
                "report.html",
                written_like=plan,
                styles=[text_of("report.css"), chart.css],
                scripts=[text_of("report.js"), chart.script],
                title=line(self.level1) or "Plan",
                facts=facts(schedule),
                groups=groups,
                gaps=gaps_of(groups),
            ),
        )

    def _groups(self, plan: str, chart: Markup) -> list[Group]:
        in_short = [
            part("Executive summary", "The plan on one page.", self.executive_summary, open=True),
            part("Pitch", "Why somebody should join in.", self.pitch),
            Part(
                anchor="plan-as-given",
                title="Plan as given",
                about="The text from which everything else was worked out.",
                body=Markup('<div class="plain">{}</div>').format(plan.strip()),
            ),
        ]
        way = [
            part("Strategic decisions", "The levers that pull the rest with them.", self.decisions),
            part("Scenarios", "Ways to carry it out, and the one that was chosen.", self.scenarios),
            part("Assumptions", "What is taken for granted, and how sure it is.", self.assumptions),
            part("Project plan", "Goals, means, stakeholders and risks.", self.project_plan),
            part("Related resources", "Undertakings to learn from.", self.related_resources),
        ]
        work = [
            Part(
                anchor="schedule",
                title="Schedule",
                about="Every task with its days, as a chart and as a table.",
                body=chart,
            ),
            Part(
                anchor="work-breakdown",
                title="Work breakdown",
                about="Every phase and the tasks in it.",
                body=fragment("work_breakdown.html", phases=phases(entries(self.work_breakdown))),
            ),
            part("Team", "Who is needed, and for what.", self.team),
            part("Governance", "Who decides, who watches, who is asked.", self.governance),
            part("Data collection", "What has to be found out first.", self.data_collection),
            part("Documents", "What has to be written and what has to be found.", self.documents),
        ]
        doubts = [
            part("Redline gate", "Whether the plan may be worked on at all.", self.redline_gate),
            part("Premise attack", "The best case against doing it.", self.premise_attack),
            part("SWOT", "Strengths, weaknesses, opportunities, threats.", self.swot),
            part("Expert review", "What specialists would object.", self.expert_review),
            part(
                "Review", "Findings on the plan as a whole, question by question.", self.review_plan
            ),
            part(
                "Questions and answers",
                "What newcomers ask, comfortable or not.",
                self.questions_and_answers,
            ),
            part("Premortem", "Suppose it failed: how, and what showed it early.", self.premortem),
            part(
                "Self-audit",
                "Checks of the finished plan, and what would lower each level.",
                self.self_audit,
            ),
        ]
        return [
            Group(title="In short", parts=in_short),
            Group(title="The way", parts=way),
            Group(title="The work", parts=work),
            Group(title="The doubts", parts=doubts),
        ]
