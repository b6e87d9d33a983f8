"""An agent's answer as a Markdown page for reviewers; its text stays text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from analysis.quotes import Checked
from analysis.record import Opinion
from analysis.replies import (
    Assessment,
    CodeReview,
    Direction,
    Finding,
    Insight,
    Reply,
    Synthesis,
)
from prompt_lab.markup import bullets, code
from prompt_lab.markup import line as escaped


def page(title: str, opinion: Opinion, reply: Reply) -> str:
    """Return the page of an answer; quotes that were not found are struck out."""
    lines = [*_head(title, opinion), *_stance(opinion)]
    if isinstance(reply, Insight):
        lines += _section("Impact", [escaped(reply.impact)])
        lines += _list("Hypotheses", reply.hypotheses)
    if isinstance(reply, CodeReview):
        lines += _list("Risks", reply.risks)
    if isinstance(reply, Synthesis):
        lines += _section("Recommendation", [escaped(reply.recommendation)])
        lines += _list("Agreements", reply.agreements)
        lines += _list("Disagreements", reply.disagreements)
        lines += _directions(reply.directions)
    if isinstance(reply, Assessment):
        lines += _section("Was the issue resolved?", [reply.resolved.value])
        lines += _section("The last recommendation", [escaped(reply.previous)])
    lines += _findings("Evidence", reply.findings, opinion.findings)
    if isinstance(reply, Assessment):
        rest = opinion.findings[len(reply.findings) :]
        lines += _findings("New issues", reply.new_issues, rest)
    return "\n".join(lines).rstrip() + "\n"


def gap(title: str, opinion: Opinion) -> str:
    """Return the page of an agent without an answer: the gap stays visible."""
    reason = escaped(opinion.failed or "")
    lines = [*_head(title, opinion), f"> **No answer.** This agent gave nothing usable: {reason}"]
    return "\n".join(lines) + "\n"


def _head(title: str, opinion: Opinion) -> list[str]:
    label = "SIMULATED " if opinion.simulated else ""
    return [
        f"# {label}{title}",
        "",
        f"Agent {escaped(opinion.agent)} · model {code(opinion.model_id)} · "
        f"prompt {opinion.prompt_digest[:12]}",
        "",
    ]


def _stance(opinion: Opinion) -> list[str]:
    holds = sum(one.holds for one in opinion.findings)
    line = f"**{opinion.stance}** · {holds} of {len(opinion.findings)} quotes hold"
    return [line, "", escaped(opinion.reason), ""]


def _section(title: str, paragraphs: Sequence[str]) -> list[str]:
    lines = [line for paragraph in paragraphs if paragraph for line in (paragraph, "")]
    return [f"## {title}", "", *lines] if lines else []


def _list(title: str, texts: Iterable[str]) -> list[str]:
    items = bullets(text for text in texts if text.strip())
    return [f"## {title}", "", items, ""] if items else []


def _directions(directions: Sequence[Direction]) -> list[str]:
    lines = ["## Directions", ""] if directions else []
    for number, one in enumerate(directions, start=1):
        where = f" · {code(one.surface)}" if one.surface.strip() else ""
        expected = f" Expected: {escaped(one.expectation)}" if one.expectation.strip() else ""
        lines.append(
            f"{number}. **{escaped(one.title)}** ({one.kind}{where}) {escaped(one.why)}{expected}"
        )
    return [*lines, ""]


def _findings(title: str, findings: Sequence[Finding], checked: Sequence[Checked]) -> list[str]:
    lines = [f"## {title}", ""] if findings else []
    for finding, one in zip(findings, checked, strict=False):
        place = f"{escaped(one.path)}:{one.found or one.line}"
        lines.append(f"- **{escaped(finding.title)}** {escaped(finding.observation)}".rstrip())
        lines.append(
            f"  {code(one.quote)} ({place})"
            if one.holds
            else f"  ~~{escaped(one.quote)}~~ (not found: {place})"
        )
    return [*lines, ""]
