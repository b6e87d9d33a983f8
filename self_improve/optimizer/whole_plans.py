"""Whole plans of a loop: made with what it kept, and compared with the baseline plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from prompt_lab.layout import SPLITS, Layout
from self_improve.code.worktrees import Worktrees
from self_improve.full_plan import best_code
from self_improve.full_plan.best_code import IncludedCandidate
from self_improve.full_plan.comparison import CodeSides, Say
from self_improve.full_plan.folder import ComparisonFolder
from self_improve.full_plan.request import PlanRequest
from self_improve.full_plan.start import FinishedComparison, run
from self_improve.iteration.request import IterationRequest
from self_improve.optimizer.rounds import KeptCandidate, Round
from self_improve.runs.progress import Display

_HOW = "kept by the loop"


async def compare(
    request: IterationRequest,
    loop: dict[str, Any],
    rounds: Sequence[Round],
    gateway: Gateway,
    display: Display,
    say: Say,
) -> FinishedComparison | None:
    """Compare a verify plan made by the best code so far, on the loop's first model and ledger.

    Every comparison takes the next verify plan. The same call again finds the finished comparison.

    Returns:
        None if nothing was kept, or there is no verify plan.

    Raises:
        BudgetReached: a cap was reached.
        UsageError, LabError, OSError: as the message says.
    """
    gains = [(one, one.kept) for one in rounds if one.kept is not None]
    folder = request.layout.split(SPLITS[1])
    plans = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if not gains or not plans:
        why = "there is no verify plan" if gains else "nothing was kept"
        say(f"No whole plan is compared: {why}.")
        return None
    plan = plans[(len(gains) - 1) % len(plans)]
    first = request.run.models[:1]
    plan_request = PlanRequest(
        run=replace(
            request.run, step="", models=first, plan_dirs=(plan,), baseline_dir=None, repeats=1
        ),
        code=request.code,
        base=loop["start"],
        loop=loop["name"],
    )
    worktrees = Worktrees(request.code, request.layout.worktrees, redactor=request.run.redactor)
    last = {one.step: _included(one, best, simulated=request.simulated) for one, best in gains}
    code = best_code.unchanged(worktrees, gains[-1][1].commit, list(last.values()))
    say(f"Comparing a whole plan, {plan.name}, made with what the loop has kept:")
    comparison = await run(
        plan_request, CodeSides(after=code), new=False, display=display, say=say, gateway=gateway
    )
    say(f"{comparison.result['told']}: {comparison.folder.path}")
    return comparison


def compared(layout: Layout, loop: str) -> list[ComparisonFolder]:
    """Return the comparisons that a loop has begun."""
    return [one for one in ComparisonFolder.all(layout) if one.identity.get("loop") == loop]


def spent_on(layout: Layout, loop: str) -> Spend:
    """Return what earlier sessions of a loop spent on whole plans."""
    return sum((folder.spent() for folder in compared(layout, loop)), Spend())


def _included(one: Round, best: KeptCandidate, *, simulated: bool) -> IncludedCandidate:
    return IncludedCandidate(
        step=one.step, candidate=best.candidate, commit=best.commit,
        pull_request="" if best.pull_request is None else str(best.pull_request),
        iteration=one.folder.id, simulated=simulated, surfaces=(), how=_HOW,
    )  # fmt: skip
