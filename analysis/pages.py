"""Writing an agent's answer as Markdown that people review; nothing in it can pass for ours."""

from __future__ import annotations

import re
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

_MARKS = re.compile(r"([\\`*_{}\[\]#|~!@])")


def page(title: str, opinion: Opinion, reply: Reply) -> str:
    """Return the page of an answer; quotes that were not found are struck out."""
    lines = [*_head(title, opinion), *_stance(opinion)]
    if isinstance(reply, Insight):
        lines += _section("Impact", [plain(reply.impact)])
        lines += _list("Hypotheses", reply.hypotheses)
    if isinstance(reply, CodeReview):
        lines += _list("Risks", reply.risks)
    if isinstance(reply, Synthesis):
        lines += _section("Recommendation", [plain(reply.recommendation)])
        lines += _list("Agreements", reply.agreements)
        lines += _list("Disagreements", reply.disagreements)
        lines += _directions(reply.directions)
    if isinstance(reply, Assessment):
        lines += _section("Was the issue resolved?", [reply.resolved.value])
        lines += _section("The last recommendation", [plain(reply.previous)])
    lines += _findings("Evidence", reply.findings, opinion.findings)
    if isinstance(reply, Assessment):
        rest = opinion.findings[len(reply.findings) :]
        lines += _findings("New issues", reply.new_issues, rest)
    return "\n".join(lines).rstrip() + "\n"


def gap(title: str, opinion: Opinion) -> str:
    """Return the page of an agent that gave nothing: the gap stays visible."""
    told = plain(opinion.failed or "")
    lines = [*_head(title, opinion), f"> **No answer.** This agent gave nothing usable: {told}"]
    return "\n".join(lines) + "\n"


def plain(text: str) -> str:
    """Return a model's text on one line; all that Markdown or HTML would act on is escaped.

    A mention or a link of its making stays text.
    """
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKS.sub(r"\\\1", flat).replace("://", ":\u200b//")


def quoted(text: str) -> str:
    """Return a quote as code that its own backticks cannot end."""
    flat = " ".join(text.split())
    runs = [len(run) for run in re.findall(r"`+", flat)]
    fence = "`" * (max(runs, default=0) + 1)
    return f"{fence} {flat} {fence}"


def _head(title: str, opinion: Opinion) -> list[str]:
    label = "SIMULATED " if opinion.simulated else ""
    return [
        f"# {label}{title}",
        "",
        f"Agent {plain(opinion.agent)} · model {quoted(opinion.model_id)} · "
        f"prompt {opinion.prompt_digest[:12]}",
        "",
    ]


def _stance(opinion: Opinion) -> list[str]:
    holds = sum(one.holds for one in opinion.findings)
    told = f"**{opinion.stance}** · {holds} of {len(opinion.findings)} quotes hold"
    return [told, "", plain(opinion.reason), ""]


def _section(title: str, paragraphs: Sequence[str]) -> list[str]:
    told = [line for paragraph in paragraphs if paragraph for line in (paragraph, "")]
    return [f"## {title}", "", *told] if told else []


def _list(title: str, texts: Iterable[str]) -> list[str]:
    items = [f"- {plain(text)}" for text in texts if text.strip()]
    return [f"## {title}", "", *items, ""] if items else []


def _directions(directions: Sequence[Direction]) -> list[str]:
    lines = ["## Directions", ""] if directions else []
    for number, one in enumerate(directions, start=1):
        where = f" · {quoted(one.surface)}" if one.surface.strip() else ""
        expected = f" Expected: {plain(one.expectation)}" if one.expectation.strip() else ""
        lines.append(
            f"{number}. **{plain(one.title)}** ({one.kind}{where}) {plain(one.why)}{expected}"
        )
    return [*lines, ""]


def _findings(title: str, findings: Sequence[Finding], checked: Sequence[Checked]) -> list[str]:
    lines = [f"## {title}", ""] if findings else []
    for finding, one in zip(findings, checked, strict=False):
        told = f"- **{plain(finding.title)}** {plain(finding.observation)}".rstrip()
        place = f"{plain(one.path)}:{one.found or one.line}"
        said = quoted(one.quote)
        mark = f"{said} ({place})" if one.holds else f"~~{plain(one.quote)}~~ (not found: {place})"
        lines += [told, f"  {mark}"]
    return [*lines, ""]
