"""An iteration's numbers as Markdown: for agents, who take them as they are, and for reviewers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prompt_lab import markup
from self_improve.iteration.branches import Branched
from self_improve.iteration.decision import Decision
from self_improve.iteration.drafts import Draft
from self_improve.iteration.judgement import Judgement
from self_improve.verdict import Verdict
from self_improve.verdict.effects import Effect, Part

MARKER = "verdict"
_SHOWN = 12


def measures(verdict: Verdict, found: Judgement, draft: Draft, side: Branched) -> str:
    """Return what the evaluator measured of one candidate, as a page."""
    return markup.page(
        f"# {verdict.summary}: {markup.line(draft.title)}",
        f"Commit {markup.code(side.commit[:12])} · {verdict.pairs} pairs of cells · "
        f"{len(verdict.models)} models · {len(verdict.plans)} plans · rubric version "
        f"{verdict.rubric_version}",
        _list(verdict.reasons),
        "## Gates",
        markup.table(
            ("gate", "failed", "what"),
            ((g.name, "**yes**" if g.failed else "no", g.told) for g in verdict.gates),
        )
        if verdict.gates
        else "None was needed.",
        "## Measures",
        _effects(verdict.effects),
        "## By model and plan",
        _parts([*verdict.composite.models, *verdict.composite.plans]),
        f"Fitness before {_number(found.fitness_before)}, after {_number(found.fitness_after)}.",
        "## Notes" if verdict.notes else "",
        _list(verdict.notes),
    )


def comment(
    decision: Decision, row: Mapping[str, Any], page: str, checks: Mapping[str, Any], place: str
) -> str:
    """Return the one comment on a pull request: the end, why, and the numbers folded below."""
    return markup.page(
        f"## {decision.summary}",
        _list(decision.reasons),
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
                f"{_number(judged['agreement'])}, position bias {_number(judged['position_bias'])}"
            )
        return f"{label}: {markup.line('; '.join(words))}."
    harm = found.get("harm", [])
    return f"{label}: {markup.line('; '.join(harm) if harm else 'no harm')}."


def _effects(effects: Sequence[Effect]) -> str:
    weighty = sorted(effects, key=lambda e: (-(e.weight > 0), -abs(e.gain or 0.0)))[:_SHOWN]
    return markup.table(
        ("measure", "before", "after", "change", "interval", "q"),
        (
            (
                e.id, _number(e.before), _number(e.after), _number(e.change),
                _interval(e.interval), _number(e.q),
            )
            for e in weighty
        ),
    )  # fmt: skip


def _parts(parts: Sequence[Part]) -> str:
    worst_first = sorted(parts, key=lambda part: part.effect)
    return markup.table(
        ("where", "pairs", "composite", "interval"),
        ((p.name, str(p.pairs), _number(p.effect), _interval(p.interval)) for p in worst_first),
    )


def _interval(interval: Any) -> str:
    return "" if interval is None else f"{interval.low:+.3g} to {interval.high:+.3g}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _list(texts: Sequence[str]) -> str:
    return "\n".join(_bullets(texts))


def _bullets(texts: Sequence[str]) -> Iterator[str]:
    for text in texts:
        yield f"- {markup.line(text)}"
