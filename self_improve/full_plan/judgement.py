"""The preferences of a blind judge, by step and over all steps of a plan."""

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
from self_improve.records import cell_reading, run_reading
from self_improve.records.cell_reading import CellReading, Content, Refusal


async def judge_plans(
    after: Regenerated,
    before: Regenerated | None,
    plans: Mapping[str, Path],
    model: Model,
    folder: ComparisonFolder,
    gateway: Gateway,
    seed: int,
) -> dict[str, dict[str, Preferences]]:
    """Return the judge's preferences by plan and step, of the steps whose rubric has questions.

    Without a side before, the stored plans are compared.

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
    answers = await asyncio.gather(
        *(_judge(rubric, pair, model, folder, gateway, seed) for _, _, rubric, pair in asked)
    )
    if gateway.ledger.reached is not None:
        raise BudgetReached(gateway.ledger.reached)
    preferences: dict[str, dict[str, Preferences]] = {}
    for (step, plan, _, _), answer in zip(asked, answers, strict=True):
        preferences.setdefault(plan, {})[step] = answer
    return preferences


async def _judge(
    rubric: Rubric, pair: Pair, model: Model, folder: ComparisonFolder, gateway: Gateway, seed: int
) -> Preferences:
    # One journal per step, because a call's key names the plan, not the step.
    path = folder.counsel / f"{rubric.step}_{pair.key[0]}"
    async with Counsel(gateway, path, seed=seed) as counsel:
        return await judge(counsel, model, rubric.questions, [pair])


def to_row(preferences: Mapping[str, Preferences]) -> dict[str, Any]:
    """Return the judge's preferences for one plan: by step, and over all of them."""
    every = list(preferences.values())
    pairs = sum(one.pairs for one in every)
    wins = sum(one.wins for one in every)
    ties = sum(one.ties for one in every)
    agreed = [one.agreement for one in every if one.agreement is not None]
    biases = [one.position_bias for one in every if one.position_bias is not None]
    return {
        "pairs": pairs,
        "failed": sum(one.failed for one in every),
        "wins": wins,
        "losses": sum(one.losses for one in every),
        "ties": ties,
        "preference": (wins + ties / 2) / pairs if pairs else None,
        "agreement": sum(agreed) / len(agreed) if agreed else None,
        "position_bias": sum(biases) / len(biases) if biases else None,
        "steps": {
            step: {
                "winner": "after" if one.wins else "before" if one.losses else "tie",
                "failed": one.failed,
                "reasons": list(one.reasons),
            }
            for step, one in preferences.items()
        },
    }


def _pairs(run: Run, old: Run | None, rubric: Rubric, plans: Mapping[str, Path]) -> Iterator[Pair]:
    new = {cell.plan: cell for cell in run_reading.read(run.path, rubric).cells}
    if old is not None:
        other = {cell.plan: cell for cell in run_reading.read(old.path, rubric).cells}
    else:
        other = {
            name: cell_reading.plan_cell(name, folder, rubric) for name, folder in plans.items()
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
