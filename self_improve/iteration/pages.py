"""An iteration's numbers as Markdown: for agents, who take them as they are, and for reviewers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prompt_lab import markup
from prompt_lab.tables import number
from self_improve.comparison.text import verdict_page
from self_improve.iteration.branches import Branched
from self_improve.iteration.decision import Decision
from self_improve.iteration.drafts import Draft
from self_improve.iteration.judgement import DecidedRuns

MARKER = "verdict"


def measures(decided: DecidedRuns, draft: Draft, side: Branched) -> str:
    """Return what the evaluator measured of one candidate, as a page."""
    verdict = decided.verdict
    return markup.page(
        f"# {verdict.summary}: {markup.line(draft.title)}",
        f"Commit {markup.code(side.commit[:12])} · rubric version {verdict.rubric_version} · "
        f"fitness {number(decided.fitness_before)} before, {number(decided.fitness_after)} after",
        verdict_page(verdict),
    )


def comment(
    decision: Decision, row: Mapping[str, Any], page: str, checks: Mapping[str, Any], place: str
) -> str:
    """Return the one comment on a pull request: the end, why, and the numbers folded below."""
    return markup.page(
        f"## {decision.summary}",
        markup.bullets(decision.reasons),
        f"The evaluator says **{row['verdict']}** on the train plans.",
        *(_check(name, found) for name, found in checks.items() if found),
        markup.folded("The numbers", page),
        f"Everything recorded of it lies in {markup.code(place)} of the data repo.",
    )


def folded_pages(pages: Mapping[str, str]) -> str:
    """Return the pages of the agents, each folded."""
    return "\n\n".join(markup.folded(name, text) for name, text in pages.items())


def _check(name: str, found: Mapping[str, Any]) -> str:
    label = name.replace("_", " ").capitalize()
    if "skipped" in found:
        return f"{label}: skipped ({markup.line(str(found['skipped']))})."
    if name == "verify":
        told = f"{found['word']}, use {found['uses']} of the verify plans for this step"
        return f"{label}: {markup.line(told)}."
    if name == "analyse":
        judged = found.get("judged") or {}
        words = [f"{len(found['objections'])} checked objections"]
        if judged:
            words.append(
                f"judge {judged['wins']} to {judged['losses']}, {judged['ties']} ties, agreement "
                f"{number(judged['agreement'])}, position bias {number(judged['position_bias'])}"
            )
        return f"{label}: {markup.line('; '.join(words))}."
    harm = found.get("harm", [])
    return f"{label}: {markup.line('; '.join(harm) if harm else 'no harm')}."
