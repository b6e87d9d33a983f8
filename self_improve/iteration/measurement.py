"""The measuring phases of an iteration: cells, verdicts, and checks of what earned KEEP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from model_gateway.errors import BudgetReached
from prompt_lab.record import Evidence, Run
from self_improve.code import patch
from self_improve.comparison.until_decided import UntilDecided
from self_improve.errors import UsageError
from self_improve.host.pipeline import Pipeline
from self_improve.iteration import judgement
from self_improve.iteration.branches import BASELINE, Side
from self_improve.iteration.checks import Checks, SideTree
from self_improve.iteration.context import IterationContext
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts
from self_improve.iteration.implementing.acceptance import others_touched
from self_improve.iteration.pages import measures
from self_improve.runs.experiment import Experiment


async def run(
    context: IterationContext, drafts: Sequence[Draft], sides: Mapping[str, Side]
) -> Facts:
    """Run the cells of all sides.

    Raises:
        UsageError: `--skip-runner`, or a draft's text is not in the code.
        BudgetReached: a cap was reached.
    """
    if context.request.skip_runner:
        raise UsageError(
            "--skip-runner judges recorded cells only, and this iteration has not run its cells. "
            "Run the same command without the flag."
        )
    async with context.experiment(sides) as experiment:
        for draft in drafts:
            patch.confirm(draft.texts, experiment.works[draft.id].pipeline.surfaces)
        planned = experiment.works[BASELINE].specifications
        if sentence := judgement.prospect_of(context.request.step, planned, context.layout):
            context.publisher.say(sentence)
        for name, estimate in (await experiment.expected()).items():
            context.publisher.say(f"{name}: {estimate.text()}")
        result = await experiment.run(context.gateway, context.display, _until(context, drafts))
        if result.stopped is not None:
            raise BudgetReached(result.stopped)
        pipeline = experiment.works[BASELINE].pipeline
        changed_pipelines = [experiment.works[draft.id].pipeline for draft in drafts]
        changed = sorted({surface for draft in drafts for surface in draft.texts})
    return {
        "runs": _names(context, result.runs),
        "sharing": _sharing(pipeline, context.request.step, changed_pipelines),
        "before": {surface: pipeline.surfaces[surface].text for surface in changed},
    }


async def evaluate(
    context: IterationContext, drafts: Sequence[Draft], sides: Mapping[str, Side]
) -> Facts:
    """Judge each candidate against the baseline, and write its page."""
    runs = context.runs("run")
    rows = {}
    for draft in drafts:
        decided = judgement.decide_runs(
            runs[BASELINE], runs[draft.id], context.rubric, context.layout,
            expectations=draft.expectations, seed=context.request.run.seed,
        )  # fmt: skip
        unsent = _unsent(runs[draft.id], draft.texts)
        if unsent:
            reason = f"the candidate's text was never sent: {', '.join(unsent)}"
            notes = (*decided.verdict.notes, reason)
            verdict = replace(decided.verdict, evidence=Evidence.historical, notes=notes)
            decided = replace(decided, verdict=verdict)
        page = measures(decided, draft, sides[draft.id])
        path = context.folder.path / f"verdict_{draft.id}.md"
        path.write_text(page, encoding="utf-8", errors="replace")
        rows[draft.id] = judgement.row_of(decided, context.rubric)
    return {"candidates": rows}


async def verify(context: IterationContext, sides: Mapping[str, Side], best: str) -> Facts:
    """Run and judge the best candidate on the verify plans."""
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    async with context.experiment(both, split="verify") as experiment:
        result = await experiment.run(context.gateway, context.display)
    if result.stopped is not None:
        raise BudgetReached(result.stopped)
    verdict = judgement.decide_runs(
        result.runs[BASELINE], result.runs[best], context.rubric, context.layout,
        seed=context.request.run.seed,
    ).verdict  # fmt: skip
    return {
        "word": str(verdict.word),
        "gates": list(verdict.failed_gates),
        "reasons": list(verdict.reasons),
        "effect": verdict.composite.effect,
        "runs": _names(context, result.runs),
        "uses": context.publisher.verify_uses(context.request.step) + 1,
    }


async def downstream(context: IterationContext, sides: Mapping[str, Side], best: str) -> Facts:
    """Compare the steps that read the outputs of the sides."""
    if context.request.skip_downstream:
        return {"skipped": "--skip-downstream"}
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    sharing = (context.folder.result("run") or {}).get("sharing", [])
    async with context.experiment(both) as experiment:
        result = await _checks(context).downstream(
            _trees(experiment), context.runs("run"), sharing=sharing
        )
    if result["stopped"] is not None:
        raise BudgetReached(result["stopped"])
    return result


async def spot_check(context: IterationContext, sides: Mapping[str, Side], best: str) -> Facts:
    """Run the whole pipeline on one verify plan."""
    if context.request.skip_spot_check:
        return {"skipped": "--skip-spot-check"}
    folder = context.layout.split("verify")
    plans = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if not plans:
        return {"skipped": "there is no verify plan"}
    plan = plans[context.folder.number % len(plans)]
    model = context.request.run.models[0]
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    async with context.experiment(both, split="verify") as experiment:
        trees = _trees(experiment)
        result = await _checks(context).whole_plan(
            trees[BASELINE], trees[best], model, plan, name="spot_check"
        )
    if result["stopped"] is not None:
        raise BudgetReached(result["stopped"])
    return result


def _until(context: IterationContext, drafts: Sequence[Draft]) -> UntilDecided | None:
    """Return what stops the runs early; expectations count for a single candidate only."""
    if not context.request.early_stop:
        return None
    expectations = drafts[0].expectations if len(drafts) == 1 else ()
    return judgement.until_decided(
        context.rubric, context.layout, expectations=expectations, seed=context.request.run.seed
    )


def _checks(context: IterationContext) -> Checks:
    return Checks(
        context.gateway, context.layout, context.folder.scratch, context.display,
        seed=context.request.run.seed, plans=context.request.run.baseline_dir,
    )  # fmt: skip


def _names(context: IterationContext, runs: Mapping[str, Sequence[Run]]) -> dict[str, list[str]]:
    """Return how records name the runs of each side."""
    return {side: [context.folder.relative(run.path) for run in runs[side]] for side in runs}


def _sharing(pipeline: Pipeline, step: str, changed: Sequence[Pipeline]) -> list[str]:
    """Return the other steps that send a text which one of the changed pipelines changes."""
    touched = {name for after in changed for name in others_touched(pipeline, after, step)}
    return [name for name in pipeline.steps if name in touched]


def _unsent(runs: Sequence[Run], texts: Mapping[str, str]) -> list[str]:
    """Return the changed surfaces whose new text one of the runs has not sent."""
    missing = []
    for run in runs:
        rows = {row["id"]: row for row in run.surfaces().get("surfaces", [])}
        missing += [s for s in texts if not rows.get(s, {}).get("sent")]
    return sorted(set(missing))


def _trees(experiment: Experiment) -> dict[str, SideTree]:
    return {
        name: SideTree(work=work, request=experiment.requests[name])
        for name, work in experiment.works.items()
    }
