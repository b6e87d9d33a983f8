"""What an iteration measures: cells, their verdicts, and what a KEEP must not break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model_gateway.errors import BudgetReached
from prompt_lab.record import Evidence, Run
from self_improve.code import patch
from self_improve.comparison.until_decided import UntilDecided
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline
from self_improve.iteration import judgement
from self_improve.iteration.branches import BASELINE, Branched
from self_improve.iteration.checks import Checks, Tree
from self_improve.iteration.context import IterationContext
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts
from self_improve.iteration.implementing.acceptance import others_touched
from self_improve.iteration.pages import measures
from self_improve.runs.experiment import Experiment


async def run(
    context: IterationContext, drafts: Sequence[Draft], sides: Mapping[str, Branched]
) -> Facts:
    """Run the cells of all sides; raises BudgetReached if a cap ends it."""
    if context.request.skip_runner:
        raise UsageError(
            "--skip-runner judges what is recorded, but this iteration has not run its cells. "
            "Leave the flag out once; the same command goes on from there."
        )
    async with context.experiment(sides) as trial:
        for draft in drafts:
            patch.confirm(draft.texts, trial.works[draft.id].pipeline.surfaces)
        _tell_expected(context, await trial.expected())
        ran = await trial.run(context.gateway, context.display, _until(context, drafts))
        if ran.stopped is not None:
            raise BudgetReached(ran.stopped)
        pipeline = trial.works[BASELINE].pipeline
        scope = _scope(pipeline, context.request.step, [trial.works[d.id].pipeline for d in drafts])
        changed = sorted({surface for draft in drafts for surface in draft.texts})
    return {
        "runs": {n: [context.place.relative(r.path) for r in own] for n, own in ran.runs.items()},
        "sharing": scope,
        "before": {surface: pipeline.surfaces[surface].text for surface in changed},
    }


async def evaluate(
    context: IterationContext, drafts: Sequence[Draft], sides: Mapping[str, Branched]
) -> Facts:
    """Judge each candidate against the baseline, and write its page."""
    runs = context.runs("run")
    rows = {}
    for draft in drafts:
        decided = judgement.decide_runs(
            runs[BASELINE], runs[draft.id], context.rubric, context.layout,
            expectations=draft.expectations, seed=context.request.seed,
        )  # fmt: skip
        unsent = _unsent(runs[draft.id], draft.texts)
        if unsent:
            reason = f"the candidate's text was never sent: {', '.join(unsent)}"
            notes = (*decided.verdict.notes, reason)
            verdict = replace(decided.verdict, evidence=Evidence.historical, notes=notes)
            decided = replace(decided, verdict=verdict)
        page = measures(decided, draft, sides[draft.id])
        path = context.place.path / f"verdict_{draft.id}.md"
        path.write_text(page, encoding="utf-8", errors="replace")
        rows[draft.id] = judgement.row_of(decided, context.rubric)
    return {"candidates": rows}


async def verify(context: IterationContext, sides: Mapping[str, Branched], best: str) -> Facts:
    """Judge the best candidate once more, on the verify plans."""
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    async with context.experiment(both, split="verify") as trial:
        ran = await trial.run(context.gateway, context.display)
    if ran.stopped is not None:
        raise BudgetReached(ran.stopped)
    found = judgement.decide_runs(
        ran.runs[BASELINE],
        ran.runs[best],
        context.rubric,
        context.layout,
        seed=context.request.seed,
    ).verdict
    used = context.publisher.verify_uses(context.request.step)
    return {
        "word": str(found.word),
        "gates": list(found.failed_gates),
        "reasons": list(found.reasons),
        "effect": found.composite.effect,
        "runs": {n: [context.place.relative(r.path) for r in own] for n, own in ran.runs.items()},
        "uses": used + 1,
    }


async def downstream(context: IterationContext, sides: Mapping[str, Branched], best: str) -> Facts:
    """Compare the steps that read what the sides have written."""
    if context.request.skip_downstream:
        return {"skipped": "--skip-downstream"}
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    sharing = (context.place.result("run") or {}).get("sharing", [])
    async with context.experiment(both) as trial:
        found = await _checks(context).downstream(
            _trees(trial), context.runs("run"), sharing=sharing
        )
    if found["stopped"] is not None:
        raise BudgetReached(found["stopped"])
    return found


async def spot_check(context: IterationContext, sides: Mapping[str, Branched], best: str) -> Facts:
    """Take one verify plan through the whole pipeline."""
    if context.request.skip_spot_check:
        return {"skipped": "--skip-spot-check"}
    folder = context.layout.split("verify")
    plans = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if not plans:
        return {"skipped": "there is no verify plan"}
    plan = plans[context.place.number % len(plans)]
    model = context.request.models[0]
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    async with context.experiment(both, split="verify") as trial:
        trees = _trees(trial)
        found = await _checks(context).whole_plan(
            trees[BASELINE], trees[best], model, plan, name="spot_check"
        )
    if found["stopped"] is not None:
        raise BudgetReached(found["stopped"])
    return found


def _until(context: IterationContext, drafts: Sequence[Draft]) -> UntilDecided | None:
    """Return what stops the runs early; of several candidates none has terms of its own."""
    if not context.request.early_stop:
        return None
    expected = drafts[0].expectations if len(drafts) == 1 else ()
    return judgement.until_decided(
        context.rubric, context.layout, expectations=expected, seed=context.request.seed
    )


def _checks(context: IterationContext) -> Checks:
    return Checks(
        context.gateway, context.layout, context.place.scratch, context.display,
        seed=context.request.seed,
        plans=context.request.plans,
    )  # fmt: skip


def _tell_expected(context: IterationContext, expected: Mapping[str, Any]) -> None:
    for name, estimate in expected.items():
        context.publisher.say(f"{name}: {estimate.text()}")


def _scope(pipeline: Pipeline, step: str, changed: Sequence[Pipeline]) -> list[str]:
    """Return the other steps that send a text which one of the changed pipelines has otherwise."""
    touched = {name for after in changed for name in others_touched(pipeline, after, step)}
    return [name for name in pipeline.steps if name in touched]


def _unsent(runs: Sequence[Run], texts: Mapping[str, str]) -> list[str]:
    """Return the changed surfaces that one of the runs has not sent with the new text."""
    missing = []
    for run in runs:
        rows = {row["id"]: row for row in run.surfaces().get("surfaces", [])}
        missing += [s for s in texts if not rows.get(s, {}).get("sent")]
    return sorted(set(missing))


def _trees(trial: Experiment) -> dict[str, Tree]:
    return {n: Tree(work=work, wanted=trial.requests[n]) for n, work in trial.works.items()}
