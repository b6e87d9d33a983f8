"""A comparison of whole plans, from the first call to the commit in the data repo."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.judge import Preferences
from model_gateway.counts import tally
from model_gateway.gateway import Gateway
from model_gateway.jsonl import Appender
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from prompt_lab import atomic
from prompt_lab.record import ATTEMPTS, Evidence
from prompt_lab.repository import Repository
from self_improve.errors import UsageError
from self_improve.full_plan import baseline, judgement, kpis, pages
from self_improve.full_plan.baseline import baseline_of
from self_improve.full_plan.best_code import Code
from self_improve.full_plan.folder import BASELINE, KPIS, PAGE, PLAN, RESULT, ComparisonFolder
from self_improve.full_plan.kpis import StepKpis
from self_improve.full_plan.regeneration import AFTER, BEFORE, Regenerated, digests_of, regenerate
from self_improve.full_plan.request import PlanRequest
from self_improve.runs.progress import Display

SCHEMA_VERSION = 1
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class CodeSides:
    """The code whose plans are compared; without `before`, stored plans are the baseline."""

    after: Code
    before: Code | None = None

    def by_name(self) -> dict[str, Code]:
        """Return the sides whose plans are regenerated."""
        return (
            {AFTER: self.after} if self.before is None else {BEFORE: self.before, AFTER: self.after}
        )

    def require(self) -> None:
        """Check that the sides can differ.

        Raises:
            UsageError: both sides have the same code.
        """
        if self.before is not None and self.before.commit == self.after.commit:
            left_out = (f"{step}: {why}" for step, why in (self.after.left_out or {}).items())
            reason = "; ".join(left_out) or "no step has a best prompt yet"
            if self.after.holds:
                reason = "every best prompt is in the base already"
            raise UsageError(
                f"Both sides would be the commit {self.after.commit[:12]} ({reason}). Leave out "
                "--regenerate-baseline to compare with the stored plans, or name an older commit "
                "with --base REVISION."
            )


async def compare(
    request: PlanRequest,
    sides: CodeSides,
    folder: ComparisonFolder,
    gateway: Gateway,
    display: Display,
) -> dict[str, Any]:
    """Do what is left of a comparison that this process holds, and return its result.

    Raises:
        BudgetReached: a cap was reached; the same call with a higher one resumes.
        UsageError: something does not fit.
        LabError, OSError: the data repo cannot be written.
    """
    result = folder.result()
    if result is None:
        regenerated = await regenerate(sides.by_name(), request, folder, gateway, display)
        result = await _measure(request, regenerated, folder, gateway)
    Repository(request.layout, redactor=request.run.redactor).commit(
        [folder.path], f"full plan {folder.id}: {result['told']}"
    )
    return result


def plans_of(folder: ComparisonFolder) -> dict[str, dict[str, Any]]:
    """Return the `kpi_comparison.json` of every plan of a complete comparison."""
    names = (folder.result() or {"plans": {}})["plans"]
    return {name: folder.read(f"{name}/{KPIS}") or {} for name in names}


async def _measure(
    request: PlanRequest,
    regenerated: Mapping[str, Regenerated],
    folder: ComparisonFolder,
    gateway: Gateway,
) -> dict[str, Any]:
    """Write the files of every plan, the page and the result, and return the result."""
    after, before, seed = regenerated[AFTER], regenerated.get(BEFORE), request.run.seed
    judged = None
    if request.judge is not None:
        judged = await judgement.judge_plans(
            after, before, request.plans, request.judge, folder, gateway, seed
        )
    steps = kpis.of_steps(after, before, request.layout, seed)
    shared = _shared(request, after, before, steps, judged, folder)
    plans = {}
    for name in request.plans:
        judge = None if judged is None else judgement.to_row(judged.get(name, {}))
        plans[name] = _plan(name, request, folder, regenerated, steps, shared, judge)
    result = {
        **shared,
        "told": _summary(plans, shared),  # The key of stored records.
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "plans": {
            name: {
                "totals": row["kpis"]["totals"],
                "failed_steps": row["kpis"]["failed_steps"],
                "kpis": f"{name}/{KPIS}",
            }
            for name, row in plans.items()
        },
        "steps": {one.step: one.to_row() for one in steps},
        "spent": vars(folder.spent()),
    }
    page = pages.page(result, plans)
    atomic.write(folder.path / PAGE, page.encode("utf-8", "replace"))
    # Last: it says that all the others are complete.
    atomic.write_json(folder.path / RESULT, result)
    return result


def _shared(
    request: PlanRequest,
    after: Regenerated,
    before: Regenerated | None,
    steps: list[StepKpis],
    judged: Mapping[str, Mapping[str, Preferences]] | None,
    folder: ComparisonFolder,
) -> dict[str, Any]:
    """Return what all plans of a comparison have in common."""
    meta = next(iter(after.runs.values())).meta
    simulated = request.simulated
    evidence = Evidence.weakest(step.evidence for step in steps)
    return {
        "schema_version": SCHEMA_VERSION,
        "comparison": folder.id,
        "begun": folder.identity["begun"],
        "simulated": simulated,
        "evidence": Evidence.simulated if simulated else evidence,
        "loop": request.loop,
        "code": {
            "after": {**after.code.to_row(), **after.code_facts},
            "before": None if before is None else {**before.code.to_row(), **before.code_facts},
            "optimizer": meta["optimizer"],
        },
        "surfaces": {
            "after": digests_of(after.pipeline, after.steps),
            "before": None if before is None else digests_of(before.pipeline, before.steps),
        },
        "model": {"name": request.model.name, **meta["model"]},
        "speed": request.run.speed,
        "seed": request.run.seed,
        "packages": meta["packages"],
        "judge": _judge(judged),
    }


def _judge(judged: Mapping[str, Mapping[str, Preferences]] | None) -> dict[str, Any] | None:
    one = next((j for steps in (judged or {}).values() for j in steps.values()), None)
    if one is None:
        return None
    return {"name": one.model, "id": one.model_id, "prompt_sha256": one.prompt_digest}


def _plan(
    name: str,
    request: PlanRequest,
    folder: ComparisonFolder,
    regenerated: Mapping[str, Regenerated],
    steps: list[StepKpis],
    shared: Mapping[str, Any],
    judge: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Write the directory of one plan, and return its `kpi_comparison.json`."""
    after, before, stored = regenerated[AFTER], regenerated.get(BEFORE), request.plans[name]
    fresh = folder.scratch / "whole" / name
    shutil.rmtree(fresh, ignore_errors=True)
    new = _copy(after, name, folder.plans(AFTER) / name, fresh / PLAN)
    if before is None:
        old = stored
        old_names = [p.relative_to(old).as_posix() for p in old.rglob("*") if p.is_file()]
    else:
        old = fresh / BASELINE
        old_names = _copy(before, name, folder.plans(BEFORE) / name, old)
    report = after.host.name_among(after.host.report, new)
    if report is not None:
        shutil.copyfile(fresh / PLAN / report, fresh / after.host.report)
    rows, minimal = _rows(name, steps, after.failures(name))
    used = {
        "before": baseline.usage_of(stored)
        if before is None
        else kpis.usage(before.attempts(name)),
        "after": kpis.usage(after.attempts(name)),
    }
    complete = {
        "before": kpis.completeness(old, old_names, after).to_row(),
        "after": kpis.completeness(fresh / PLAN, new, after).to_row(),
    }
    row = {
        **shared,
        "plan": name,
        "inputs": dict(after.inputs[name]),
        "baseline": baseline_of(stored, request).to_row(),
        "artifacts": after.artifacts(name),
        "kpis": {
            "totals": kpis.totals(rows, minimal),
            "failed_steps": after.failures(name),
            "completeness": complete,
            "length": {
                "before": kpis.length(old, old_names, after.host),
                "after": kpis.length(fresh / PLAN, new, after.host),
            },
            "usage": {s: one.to_row() if one is not None else None for s, one in used.items()},
            "judge": judge,
            "steps": rows,
        },
    }
    atomic.write_json(fresh / KPIS, row)
    target = folder.path / name
    shutil.rmtree(target, ignore_errors=True)  # A killed session has left it, without the result.
    fresh.rename(target)
    return row


def _rows(
    plan: str, steps: list[StepKpis], failures: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, float]]:
    rows: dict[str, Any] = {}
    minimal: dict[str, float] = {}
    for one in steps:
        row = one.plans.get(plan)
        why = (
            failures.get(one.step)
            or one.why_not
            or ("it could not be run for this plan" if row is None else None)
        )
        empty: dict[str, Any] = {"composite": None, "before": None, "after": None, "lost_gates": []}
        rows[one.step] = {**(row or empty), "why_not": why}
        if one.verdict is not None:
            minimal[one.step] = one.verdict.minimal_effect
    return rows, minimal


def _copy(side: Regenerated, plan: str, source: Path, target: Path) -> list[str]:
    """Copy a new plan with its requests; return the names of its inputs and artifacts."""
    names = [*side.inputs[plan], *side.artifacts(plan)]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    attempts = sorted(side.attempts(plan), key=lambda one: one.started)
    with Appender(target / USAGE) as file:
        file.append_all(usage_rows(attempts))
    atomic.write_json(target / OVERVIEW, overview(attempts))
    # Because the runs are in scratch, to keep the history free of one run per step.
    with Appender(target / ATTEMPTS) as file:
        file.append_all([one.to_row() for one in attempts])
    return names


def _summary(plans: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any]) -> str:
    label = "SIMULATED " if shared["simulated"] else ""
    every = [row["kpis"] for row in plans.values()]
    better = sum(len(one["totals"]["better"]) for one in every)
    worse = sum(len(one["totals"]["worse"]) for one in every)
    measured = sum(one["totals"]["measured"] for one in every)
    failed = sum(len(one["failed_steps"]) for one in every)
    holds = shared["code"]["after"]["holds"]
    prompts = f"{len(holds)} best prompts" if len(holds) != 1 else "one best prompt"
    code = f"with {prompts}" if holds else "with the code as it is"
    count = f"{len(plans)} whole plans" if len(plans) > 1 else "one whole plan"
    moved = tally((better, "better"), (worse, "worse"), (failed, "failed"))
    return f"{label}{count} {code}: of {measured} steps {moved or 'none moved'}"
