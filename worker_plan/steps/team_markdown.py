"""Write the team and its review as Markdown, for later steps and readers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from model_gateway.call import Ask
from worker_plan.artifact import text
from worker_plan.entry import entry
from worker_plan.markdown import document, gaps
from worker_plan.step import Step, Written
from worker_plan.steps.enrich_team_members_with_environment_info import (
    EnrichTeamMembersWithEnvironmentInfo,
)
from worker_plan.steps.review_team import Finding, RecordedTeamReview, ReviewTeam
from worker_plan.team import TeamMember


def member_facts(member: TeamMember) -> dict[str, str | None]:
    """Return the facts about a member by the labels under which readers find them."""
    return {
        "What for": member.explanation,
        "How many": member.count,
        "Without it": member.consequences,
        "Contract": member.contract_type,
        "Why this contract": member.contract_type_justification,
        "Typical activities": member.typical_job_activities,
        "An example": member.background_story,
        "Equipment": member.equipment_needs,
        "Facilities": member.facility_needs,
    }


def missing_parts(members: Sequence[TeamMember], review: RecordedTeamReview) -> list[str]:
    """Return what is missing in the team and its review."""
    missing = []
    for number, member in enumerate(members, start=1):
        labels = [label for label, fact in member_facts(member).items() if not (fact or "").strip()]
        if labels:
            missing.append(f"{number}. {member.category} ({', '.join(labels)})")
    parts = {"omissions": review.omissions, "improvements": review.potential_improvements}
    return missing + [name for name, findings in parts.items() if not findings]


def render(members: Sequence[TeamMember], review: RecordedTeamReview) -> str:
    lines = [*gaps(missing_parts(members, review)), "# Roles", ""]
    for number, member in enumerate(members, start=1):
        facts = {label: fact or "" for label, fact in member_facts(member).items()}
        lines += entry(f"{number}. {member.category}", facts)
    lines += _findings("Omissions", review.omissions)
    return document([*lines, *_findings("Potential improvements", review.potential_improvements)])


def _findings(heading: str, findings: Sequence[Finding]) -> list[str]:
    lines = [f"# {heading}", ""] if findings else []
    for number, finding in enumerate(findings, start=1):
        facts = {"Why": finding.explanation, "What to do": finding.recommendation}
        lines += entry(f"{number}. {finding.issue}", facts)
    return lines


class TeamMarkdown(Step):
    enrich_team_members_with_environment_info = EnrichTeamMembersWithEnvironmentInfo.members.input
    review_team = ReviewTeam.raw.input

    markdown = text("013-team.md")

    def work(self, ask: Ask) -> Iterator[Written]:  # noqa: ARG002
        yield (
            self.markdown,
            render(self.enrich_team_members_with_environment_info, self.review_team),
        )
