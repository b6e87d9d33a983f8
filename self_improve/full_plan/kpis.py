"""The KPIs of a plan on both sides: composites of its steps, completeness, length, usage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.usage import usage_rows
from prompt_lab.layout import Layout
from prompt_lab.record import Evidence, Run
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison import comparability
from self_improve.comparison.comparability import Comparability
from self_improve.comparison.comparison import decide_sides
from self_improve.comparison.sides import measurer_for
from self_improve.full_plan.baseline import Usage, usage_in
from self_improve.full_plan.regeneration import Regenerated
from self_improve.host.contract import Host
from self_improve.iteration.harm import lost_gates
from self_improve.measures.fitness import quality
from self_improve.measures.measured import MeasuredCell
from self_improve.verdict import Verdict, noise
from self_improve.verdict.terms import Terms

Row = dict[str, Any]
_PER_ITEM = "<n>"


@dataclass(frozen=True, kw_only=True)
class Completeness:
    """How many of the expected artifacts are present and not empty."""

    expected: int
    present: int
    missing: tuple[str, ...]

    def to_row(self) -> Row:
        """Return plain JSON values."""
        share = self.present / self.expected if self.expected else None
        return {**asdict(self), "missing": list(self.missing), "share": share}


def completeness(folder: Path, names: Iterable[str], side: Regenerated) -> Completeness:
    """Return which of the artifacts that the steps declare are among a plan's `names`."""
    listed = {name for name in names if _size(folder / name)}
    expected = [n for step in side.steps for n in step.outputs if _PER_ITEM not in n]
    missing = tuple(n for n in expected if side.host.name_among(n, listed) is None)
    return Completeness(
        expected=len(expected), present=len(expected) - len(missing), missing=missing
    )


def length(folder: Path, names: Iterable[str], host: Host) -> Row:
    """Return the characters of all pages in Markdown and of the report, which people read."""
    listed = list(names)
    report = host.name_among(host.report, listed)
    return {
        "markdown_chars": sum(_chars(folder / n) for n in listed if n.endswith(".md")),
        "report_chars": None if report is None else _chars(folder / report),
    }


def usage(attempts: Sequence[Attempt]) -> Usage | None:
    """Return the usage of a regenerated plan."""
    return usage_in(usage_rows(attempts))


@dataclass(frozen=True, kw_only=True)
class StepKpis:
    """One step on both sides: the verdict over all plans, and a row for each plan."""

    step: str
    verdict: Verdict | None
    why_not: str | None
    plans: Mapping[str, Row]

    @property
    def evidence(self) -> Evidence:
        """The kind of evidence."""
        return self.verdict.evidence if self.verdict is not None else Evidence.historical

    def to_row(self) -> Row:
        """Return the verdict over all plans, as plain JSON values."""
        if self.verdict is None:
            return {"word": None, "why_not": self.why_not}
        composite = self.verdict.composite
        return {
            "word": str(self.verdict.word),
            "why_not": None,
            "composite": composite.effect,
            "interval": asdict(composite.interval) if composite.interval is not None else None,
            "pairs": composite.pairs,
            "minimal_effect": self.verdict.minimal_effect,
            "rubric_version": self.verdict.rubric_version,
            "reasons": list(self.verdict.reasons),
        }


def of_steps(
    after: Regenerated, before: Regenerated | None, layout: Layout, seed: int
) -> list[StepKpis]:
    """Return the KPIs of every step that calls a model, in the order of the pipeline."""
    old = before.runs if before is not None else {}
    steps = []
    for step in after.steps:
        if not step.calls_model:
            continue
        run, rubric = after.runs.get(step.name), load.find(step.name)
        if rubric is None or run is None or (before is not None and step.name not in old):
            why = "it has no rubric" if rubric is None else "it could not be run on both sides"
            steps.append(StepKpis(step=step.name, verdict=None, why_not=why, plans={}))
            continue
        steps.append(of_step(run, old.get(step.name), rubric, layout, seed))
    return steps


def of_step(run: Run, old: Run | None, rubric: Rubric, layout: Layout, seed: int) -> StepKpis:
    """Return the KPIs of a step; those of altered records are only the reason why not."""
    before = [old.path] if old is not None else []
    after = [run.path]
    records = comparability.check(before, after) if before else comparability.check_one(after)
    if records.faults:
        why = "; ".join(records.faults)
        return StepKpis(step=rubric.step, verdict=None, why_not=why, plans={})
    terms = Terms(rubric=rubric, noise=noise.find(rubric, load.FOLDER, layout), seed=seed)
    with measurer_for(rubric, lab=layout) as measurer:
        both, verdict = decide_sides(
            before, [run.path], terms, measurer, Comparability(together=records.together)
        )
    effects = {part.name: part.effect for part in verdict.composite.plans}
    rows = {
        pair.plan: {
            "composite": effects.get(pair.plan),
            "before": _cell(pair.before, rubric),
            "after": _cell(pair.after, rubric),
            "lost_gates": lost_gates(pair.before, pair.after, rubric),
        }
        for pair in both.pairing.pairs
    }
    for cell in (c for one in both.after for c in one.cells if c.plan not in rows):
        rows[cell.plan] = {
            "composite": None, "before": None, "after": _cell(cell, rubric), "lost_gates": [],
        }  # fmt: skip
    return StepKpis(step=rubric.step, verdict=verdict, why_not=None, plans=rows)


def _cell(cell: MeasuredCell, rubric: Rubric) -> Row:
    return {
        "succeeded": cell.succeeded,
        "failure_kind": cell.failure_kind,
        "partial": cell.partial,
        "quality": quality(cell, rubric),
        "items": cell.items,
        "values": dict(cell.values),
    }


def totals(steps: Mapping[str, Row], minimal: Mapping[str, float]) -> Row:
    """Return how many steps of a plan changed by as much as would be worth a merge.

    Args:
        steps: the rows of a plan's steps.
        minimal: the smallest such effect of each step.
    """
    effects = {s: e for s, row in steps.items() if (e := row["composite"]) is not None}
    both = [
        (row["before"]["quality"], row["after"]["quality"])
        for row in steps.values()
        if row["before"] is not None and row["after"] is not None
    ]
    qualities = [(old, new) for old, new in both if old is not None and new is not None]
    return {
        "measured": len(effects),
        "better": sorted(s for s, effect in effects.items() if effect >= minimal[s]),
        "worse": sorted(s for s, effect in effects.items() if effect <= -minimal[s]),
        "median_composite": median(effects.values()) if effects else None,
        "mean_quality_before": mean(old for old, _ in qualities) if qualities else None,
        "mean_quality_after": mean(new for _, new in qualities) if qualities else None,
        "lost_gates": sorted(s for s, row in steps.items() if row["lost_gates"]),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _chars(path: Path) -> int:
    try:
        return len(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return 0
