"""What a blind judge prefers, step by step, and over all steps of a plan."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from analysis.judge import Pair, Preferences, judge
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.errors import BudgetReached
from model_gateway.gateway import Gateway
from prompt_lab.record import CellKey, Run
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.full_plan.regeneration import Regenerated
from self_improve.records import run_reading
from self_improve.records.run_reading import CellReading, Content, Refusal


async def judge_plans(
    after: Regenerated,
    before: Regenerated | None,
    plans: Mapping[str, Path],
    model: Model,
    place: ComparisonFolder,
    gateway: Gateway,
    seed: int,
) -> dict[str, dict[str, Preferences]]:
    """Return what the judge finds for each plan of each step whose rubric asks anything.

    Without a side before, the stored plans stand there.

    Raises:
        BudgetReached: a cap was reached.
    """
    asked: list[tuple[str, str, Rubric, Pair]] = []
    for step, run in after.runs.items():
        rubric = load.find(step)
        old = before.runs.get(step) if before is not None else None
        if rubric is None or not rubric.questions or (before is not None and old is None):
            continue
        asked += [(step, pair.key[0], rubric, pair) for pair in _pairs(run, old, rubric, plans)]
    found = await asyncio.gather(
        *(_one(rubric, pair, model, place, gateway, seed) for _, _, rubric, pair in asked)
    )
    if gateway.ledger.reached is not None:
        raise BudgetReached(gateway.ledger.reached)
    told: dict[str, dict[str, Preferences]] = {}
    for (step, plan, _, _), one in zip(asked, found, strict=True):
        told.setdefault(plan, {})[step] = one
    return told


async def _one(
    rubric: Rubric, pair: Pair, model: Model, place: ComparisonFolder, gateway: Gateway, seed: int
) -> Preferences:
    # A journal of its own for each step: a key says which plan, and not which step.
    folder = place.counsel / f"{rubric.step}_{pair.key[0]}"
    async with Counsel(gateway, folder, seed=seed) as counsel:
        return await judge(counsel, model, rubric.questions, [pair])


def to_row(found: Mapping[str, Preferences]) -> dict[str, Any]:
    """Return what the judge says of one plan: each step, and all together."""
    every = list(found.values())
    whole = sum(one.pairs for one in every)
    wins = sum(one.wins for one in every)
    ties = sum(one.ties for one in every)
    agreed = [one.agreement for one in every if one.agreement is not None]
    biases = [one.position_bias for one in every if one.position_bias is not None]
    return {
        "pairs": whole,
        "failed": sum(one.failed for one in every),
        "wins": wins,
        "losses": sum(one.losses for one in every),
        "ties": ties,
        "preference": (wins + ties / 2) / whole if whole else None,
        "agreement": sum(agreed) / len(agreed) if agreed else None,
        "position_bias": sum(biases) / len(biases) if biases else None,
        "steps": {
            step: {
                "winner": "after" if one.wins else "before" if one.losses else "tie",
                "failed": one.failed,
                "reasons": list(one.reasons),
            }
            for step, one in found.items()
        },
    }


def _pairs(run: Run, old: Run | None, rubric: Rubric, plans: Mapping[str, Path]) -> Iterator[Pair]:
    new = {cell.plan: cell for cell in run_reading.read(run.path, rubric).cells}
    if old is not None:
        other = {cell.plan: cell for cell in run_reading.read(old.path, rubric).cells}
    else:
        other = {
            name: run_reading.plan_cell(name, folder, rubric) for name, folder in plans.items()
        }
    for plan in sorted(new.keys() & other.keys()):
        before, after = _content(other[plan]), _content(new[plan])
        if before is None or after is None:
            continue
        key: CellKey = (plan, run.model, 0)
        yield Pair(
            key=key, plan=after.input or before.input, before=list(before.clean),
            after=list(after.clean),
        )  # fmt: skip


def _content(cell: CellReading) -> Content | None:
    if not cell.is_ok:
        return None
    try:
        return cell.content()
    except Refusal:
        return None
