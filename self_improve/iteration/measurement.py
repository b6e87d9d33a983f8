"""What an iteration measures: cells, their verdicts, and what a KEEP must not break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from prompt_lab.record import Run
from self_improve.code import patch
from self_improve.comparison.until_decided import UntilDecided
from self_improve.errors import BudgetReached, UsageError
from self_improve.host.pipeline import Pipeline
from self_improve.iteration import judgement
from self_improve.iteration.branches import BASELINE, Branched
from self_improve.iteration.checks import Checks, Tree
from self_improve.iteration.context import Ground
from self_improve.iteration.drafts import Draft
from self_improve.iteration.folder import Facts
from self_improve.iteration.implementing.acceptance import others_touched
from self_improve.iteration.pages import measures
from self_improve.runs.experiment import Experiment


async def run(ground: Ground, drafts: Sequence[Draft], sides: Mapping[str, Branched]) -> Facts:
    """Run the cells of all sides; raises BudgetReached if a cap ends it."""
    if ground.wish.skip_runner:
        raise UsageError(
            "--skip-runner judges what is recorded, but this iteration has not run its cells. "
            "Leave the flag out once; the same command goes on from there."
        )
    async with ground.experiment(sides) as trial:
        for draft in drafts:
            patch.confirm(draft.texts, trial.works[draft.id].pipeline.surfaces)
        _tell_expected(ground, await trial.expected())
        ran = await trial.run(ground.gateway, ground.display, _until(ground, drafts))
        if ran.stopped is not None:
            raise BudgetReached(ran.stopped)
        pipeline = trial.works[BASELINE].pipeline
        scope = _scope(pipeline, ground.wish.step, [trial.works[d.id].pipeline for d in drafts])
        changed = sorted({surface for draft in drafts for surface in draft.texts})
    return {
        "runs": {n: [ground.place.relative(r.path) for r in own] for n, own in ran.runs.items()},
        "sharing": scope,
        "before": {surface: pipeline.surfaces[surface].text for surface in changed},
    }


async def evaluate(ground: Ground, drafts: Sequence[Draft], sides: Mapping[str, Branched]) -> Facts:
    """Judge each candidate against the baseline, and write its page."""
    runs = ground.runs("run")
    rows = {}
    for draft in drafts:
        found = judgement.judged(
            runs[BASELINE], runs[draft.id], ground.rubric, ground.layout,
            expectations=draft.expectations, seed=ground.wish.seed,
        )  # fmt: skip
        verdict = found.verdict
        unsent = _unsent(runs[draft.id], draft.texts)
        if unsent:
            reason = f"the candidate's text was never sent: {', '.join(unsent)}"
            verdict = replace(verdict, evidence="historical", notes=(*verdict.notes, reason))
        told = measures(verdict, found, draft, sides[draft.id])
        path = ground.place.path / f"verdict_{draft.id}.md"
        path.write_text(told, encoding="utf-8", errors="replace")
        rows[draft.id] = judgement.row_of(replace(found, verdict=verdict), ground.rubric)
    return {"candidates": rows}


async def verify(ground: Ground, sides: Mapping[str, Branched], best: str) -> Facts:
    """Judge the best candidate once more, on the verify plans."""
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    async with ground.experiment(both, split="verify") as trial:
        ran = await trial.run(ground.gateway, ground.display)
    if ran.stopped is not None:
        raise BudgetReached(ran.stopped)
    found = judgement.judged(
        ran.runs[BASELINE], ran.runs[best], ground.rubric, ground.layout, seed=ground.wish.seed
    ).verdict
    used = ground.publisher.verify_uses(ground.wish.step)
    return {
        "word": str(found.word),
        "gates": list(found.failed_gates),
        "reasons": list(found.reasons),
        "effect": found.composite.effect,
        "runs": {n: [ground.place.relative(r.path) for r in own] for n, own in ran.runs.items()},
        "uses": used + 1,
    }


async def downstream(ground: Ground, sides: Mapping[str, Branched], best: str) -> Facts:
    """Compare the steps that read what the sides have written."""
    if ground.wish.skip_downstream:
        return {"skipped": "--skip-downstream"}
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    sharing = (ground.place.result("run") or {}).get("sharing", [])
    async with ground.experiment(both) as trial:
        found = await _checks(ground).downstream(_trees(trial), ground.runs("run"), sharing=sharing)
    if found["stopped"] is not None:
        raise BudgetReached(found["stopped"])
    return found


async def spot_check(ground: Ground, sides: Mapping[str, Branched], best: str) -> Facts:
    """Take one verify plan through the whole pipeline."""
    if ground.wish.skip_spot_check:
        return {"skipped": "--skip-spot-check"}
    folder = ground.layout.split("verify")
    plans = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if not plans:
        return {"skipped": "there is no verify plan"}
    plan = plans[ground.place.number % len(plans)]
    model = ground.wish.models[0]
    both = {BASELINE: sides[BASELINE], best: sides[best]}
    async with ground.experiment(both, split="verify") as trial:
        trees = _trees(trial)
        found = await _checks(ground).whole_plan(
            trees[BASELINE], trees[best], model, plan, name="spot_check"
        )
    if found["stopped"] is not None:
        raise BudgetReached(found["stopped"])
    return found


def _until(ground: Ground, drafts: Sequence[Draft]) -> UntilDecided | None:
    """Return what stops the runs early; of several candidates none has terms of its own."""
    if not ground.wish.early_stop:
        return None
    expected = drafts[0].expectations if len(drafts) == 1 else ()
    return judgement.until_decided(
        ground.rubric, ground.layout, expectations=expected, seed=ground.wish.seed
    )


def _checks(ground: Ground) -> Checks:
    return Checks(
        ground.gateway, ground.layout, ground.place.scratch, ground.display, seed=ground.wish.seed,
        plans=ground.wish.plans,
    )  # fmt: skip


def _tell_expected(ground: Ground, expected: Mapping[str, Any]) -> None:
    for name, estimate in expected.items():
        ground.publisher.say(f"{name}: {estimate.told()}")


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
    return {n: Tree(work=work, wanted=trial.wanted[n]) for n, work in trial.works.items()}
