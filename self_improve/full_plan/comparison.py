"""A comparison of whole plans, from the first call to the commit of the data repo."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.judge import Preferences
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
from self_improve.full_plan.folder import (
    BASELINE,
    KPIS,
    PAGE,
    PLAN,
    REPORT,
    RESULT,
    ComparisonFolder,
    to_json,
)
from self_improve.full_plan.kpis import StepKpis
from self_improve.full_plan.regeneration import AFTER, BEFORE, Regenerated, digests_of, regenerate
from self_improve.full_plan.request import PlanRequest
from self_improve.runs.progress import Display

SCHEMA_VERSION = 1
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Sides:
    """The code whose plans are compared; without `before` the stored plans stand there."""

    after: Code
    before: Code | None = None

    def by_name(self) -> dict[str, Code]:
        """Return the sides that are made anew."""
        return (
            {AFTER: self.after} if self.before is None else {BEFORE: self.before, AFTER: self.after}
        )

    def require(self) -> None:
        """Let pass what can differ.

        Raises:
            UsageError: both sides have the same code.
        """
        if self.before is not None and self.before.commit == self.after.commit:
            left_out = (f"{step}: {why}" for step, why in (self.after.left_out or {}).items())
            told = "; ".join(left_out) or "no step has a best prompt yet"
            if self.after.holds:
                told = "every best prompt is in the base already"
            raise UsageError(
                f"Both sides would be the commit {self.after.commit[:12]} ({told}). Without "
                "--regenerate-baseline it is held against the stored plans; --base REVISION names "
                "an older one."
            )


async def compare(
    request: PlanRequest, sides: Sides, place: ComparisonFolder, gateway: Gateway, display: Display
) -> dict[str, Any]:
    """Do what is left of a comparison that this process holds, and return what it came to.

    Raises:
        BudgetReached: a cap was reached; the same call with a higher one goes on.
        UsageError: something does not fit.
        LabError, OSError: the data repo cannot be written.
    """
    known = place.result()
    if known is None:
        known = await _made(request, sides, place, gateway, display)
    secrets = [*request.catalogue.key_variables, "GITHUB_TOKEN"]
    Repository(request.layout, secrets=secrets).commit(
        [place.path], f"full plan {place.id}: {known['told']}"
    )
    return known


def plans_of(place: ComparisonFolder) -> dict[str, dict[str, Any]]:
    """Return the `kpi_comparison.json` of every plan of a comparison that is whole."""
    return {
        name: json.loads((place.path / name / KPIS).read_text(encoding="utf-8"))
        for name in (place.result() or {"plans": {}})["plans"]
    }


async def _made(
    request: PlanRequest, sides: Sides, place: ComparisonFolder, gateway: Gateway, display: Display
) -> dict[str, Any]:
    made = await regenerate(sides.by_name(), request, place, gateway, display)
    after, before = made[AFTER], made.get(BEFORE)
    judged = None
    if request.judge is not None:
        judged = await judgement.judge_plans(
            after, before, request.plans, request.judge, place, gateway, request.seed
        )
    steps = kpis.of_steps(after, before, request.layout, request.seed)
    shared = _shared(request, after, before, steps, judged, place)
    plans = {}
    for name, folder in request.plans.items():
        told = None if judged is None else judgement.to_row(judged.get(name, {}))
        plans[name] = _plan(name, folder, request, place, made, steps, shared, told)
    result = {
        **shared,
        "told": _told(plans, shared),
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
        "spent": vars(place.spent()),
    }
    page = pages.page(result, plans)
    atomic.write(place.path / PAGE, page.encode("utf-8", "replace"))
    # Last: it says that all the others are there.
    atomic.write(place.path / RESULT, to_json(result))
    return result


def _shared(
    request: PlanRequest,
    after: Regenerated,
    before: Regenerated | None,
    steps: list[StepKpis],
    judged: Mapping[str, Mapping[str, Preferences]] | None,
    place: ComparisonFolder,
) -> dict[str, Any]:
    """Return what all plans of a comparison have in common."""
    meta = next(iter(after.runs.values())).meta
    simulated = request.simulated
    evidence = Evidence.weakest(step.evidence for step in steps)
    return {
        "schema_version": SCHEMA_VERSION,
        "comparison": place.id,
        "begun": place.order["begun"],
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
        "speed": request.speed,
        "seed": request.seed,
        "packages": meta["packages"],
        "judge": _judge(judged),
    }


def _judge(judged: Mapping[str, Mapping[str, Preferences]] | None) -> dict[str, Any] | None:
    one = next((j for own in (judged or {}).values() for j in own.values()), None)
    if one is None:
        return None
    return {"name": one.model, "id": one.model_id, "prompt_sha256": one.prompt_digest}


def _plan(
    name: str,
    folder: Path,
    request: PlanRequest,
    place: ComparisonFolder,
    made: Mapping[str, Regenerated],
    steps: list[StepKpis],
    shared: Mapping[str, Any],
    judged: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Write the directory of one plan, and return its `kpi_comparison.json`."""
    after, before = made[AFTER], made.get(BEFORE)
    fresh = place.scratch / "whole" / name
    shutil.rmtree(fresh, ignore_errors=True)
    new = _copied(after, name, place.plans(AFTER) / name, fresh / PLAN)
    old, old_names = folder, [
        p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()
    ]  # fmt: skip
    if before is not None:
        old = fresh / BASELINE
        old_names = _copied(before, name, place.plans(BEFORE) / name, old)
    report = after.host.name_among(REPORT, new)
    if report is not None:
        shutil.copyfile(fresh / PLAN / report, fresh / REPORT)
    rows, minimal = _rows(name, steps, after.failures(name))
    used = {
        "before": baseline.usage_of(folder)
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
        "inputs": dict(after.given[name]),
        "baseline": baseline_of(folder, request).to_row(),
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
            "judge": judged,
            "steps": rows,
        },
    }
    atomic.write(fresh / KPIS, to_json(row))
    target = place.path / name
    shutil.rmtree(target, ignore_errors=True)  # A killed session has left it, without the result.
    fresh.rename(target)
    return row


def _rows(
    plan: str, steps: list[StepKpis], failures: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, float]]:
    rows: dict[str, Any] = {}
    minimal: dict[str, float] = {}
    for one in steps:
        found = one.plans.get(plan)
        why = (
            failures.get(one.step)
            or one.why_not
            or ("it could not be run for this plan" if found is None else None)
        )
        empty: dict[str, Any] = {"composite": None, "before": None, "after": None, "lost_gates": []}
        rows[one.step] = {**(found or empty), "why_not": why}
        if one.verdict is not None:
            minimal[one.step] = one.verdict.minimal_effect
    return rows, minimal


def _copied(made: Regenerated, plan: str, source: Path, target: Path) -> list[str]:
    """Copy a new plan with every request; return the names of what it was given and wrote."""
    names = [*made.given[plan], *made.artifacts(plan)]
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
    attempts = sorted(made.attempts(plan), key=lambda one: one.started)
    with Appender(target / USAGE) as file:
        file.append_all(usage_rows(attempts))
    atomic.write(target / OVERVIEW, to_json(overview(attempts)))
    # The runs lie in scratch, so that the history is not flooded with one of every step.
    with Appender(target / ATTEMPTS) as file:
        file.append_all([one.to_row() for one in attempts])
    return names


def _told(plans: Mapping[str, Mapping[str, Any]], shared: Mapping[str, Any]) -> str:
    label = "SIMULATED " if shared["simulated"] else ""
    found = [row["kpis"] for row in plans.values()]
    better = sum(len(one["totals"]["better"]) for one in found)
    worse = sum(len(one["totals"]["worse"]) for one in found)
    measured = sum(one["totals"]["measured"] for one in found)
    failed = sum(len(one["failed_steps"]) for one in found)
    holds = shared["code"]["after"]["holds"]
    many_held = f"{len(holds)} best prompts" if len(holds) != 1 else "one best prompt"
    what = f"with {many_held}" if holds else "with the code as it is"
    many = f"{len(plans)} whole plans" if len(plans) > 1 else "one whole plan"
    return (
        f"{label}{many} {what}: of {measured} steps {better} are better and "
        f"{worse} worse, {failed} failed"
    )
