"""An iteration's numbers as Markdown, for agents and for reviewers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from prompt_lab import markup
from prompt_lab.tables import number
from self_improve.comparison.text import verdict_page
from self_improve.iteration.branches import Side
from self_improve.iteration.decision import Decision
from self_improve.iteration.drafts import Draft
from self_improve.iteration.judgement import DecidedRuns

MARKER = "verdict"


def measures(decided: DecidedRuns, draft: Draft, side: Side) -> str:
    """Return the evaluator's measurements of one candidate, as a page that agents read, too."""
    verdict = decided.verdict
    return markup.page(
        f"# {verdict.summary}: {markup.line(draft.title)}",
        f"Commit {markup.code(side.commit[:12])} · rubric version {verdict.rubric_version} · "
        f"fitness {number(decided.fitness_before)} before, {number(decided.fitness_after)} after",
        verdict_page(verdict),
    )


def comment(
    decision: Decision, row: Mapping[str, Any], page: str, checks: Mapping[str, Any], path: str
) -> str:
    """Return the comment on a pull request: the end, its reasons, and the numbers, folded.

    `path` is that of the iteration in the data repo.
    """
    return markup.page(
        f"## {decision.summary}",
        markup.bullets(decision.reasons),
        f"The evaluator says **{row['verdict']}** on the train plans.",
        *(_check(name, result) for name, result in checks.items() if result),
        markup.folded("The numbers", page),
        f"The full record is in {markup.code(path)} of the data repo.",
    )


def folded_pages(pages: Mapping[str, str]) -> str:
    """Return the pages of the agents, each folded."""
    return "\n\n".join(markup.folded(name, text) for name, text in pages.items())


def _check(name: str, result: Mapping[str, Any]) -> str:
    label = name.replace("_", " ").capitalize()
    if "skipped" in result:
        return f"{label}: skipped ({markup.line(str(result['skipped']))})."
    facts = result.get("harm", []) or ["no harm"]
    if name == "verify":
        uses = result["uses"]
        count = "first use" if uses == 1 else f"{uses} uses so far"
        facts = [f"{result['word']}, {count} of the verify plans for this step"]
    if name == "analyse":
        facts = [f"{len(result['objections'])} checked objections"]
        judged = result.get("judged")
        if judged:
            facts.append(
                f"judge {judged['wins']} to {judged['losses']}, {judged['ties']} ties, agreement "
                f"{number(judged['agreement'])}, position bias {number(judged['position_bias'])}"
            )
    return f"{label}: {markup.line('; '.join(facts))}."
