"""Now and then a loop makes a whole plan with what it kept, and holds it against the baseline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from model_gateway.gateway import Gateway
from model_gateway.ledger import Spend
from prompt_lab.layout import SPLITS, Layout
from self_improve.code.worktree import Worktrees
from self_improve.full_plan import best_code
from self_improve.full_plan import folder as places
from self_improve.full_plan.best_code import HeldCode
from self_improve.full_plan.comparison import Say, Sides
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

    Every comparison takes the next verify plan. The same call again finds what was compared.

    Returns:
        None if nothing was kept, or there is no verify plan.

    Raises:
        BudgetReached: a cap was reached.
        UsageError, LabError, OSError: as the message says.
    """
    kept = [(one, one.kept) for one in rounds if one.kept is not None]
    folder = request.layout.split(SPLITS[1])
    plans = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if not kept or not plans:
        say(
            "No whole plan is compared: "
            + ("there is no verify plan." if kept else "nothing was kept.")
        )
        return None
    plan = plans[(len(kept) - 1) % len(plans)]
    plan_request = PlanRequest(
        layout=request.layout, catalogue=request.catalogue, model=request.models[0],
        plans={plan.name: plan}, code=request.code, base=loop["start"], host_file=request.host_file,
        speed=request.speed, seed=request.seed, seconds=request.seconds, workers=request.workers,
        caps=request.caps, loop=loop["name"],
    )  # fmt: skip
    worktrees = Worktrees(request.code, request.layout.worktrees)
    last = {one.step: _held(one, best, simulated=request.simulated) for one, best in kept}
    code = best_code.as_it_is(worktrees, kept[-1][1].commit, list(last.values()))
    say(f"A whole plan, {plan.name}, with what the loop has kept:")
    found = await run(
        plan_request, Sides(after=code), new=False, display=display, say=say, gateway=gateway
    )
    say(f"{found.result['told']}: {found.place.path}")
    return found


def compared(layout: Layout, loop: str) -> list[ComparisonFolder]:
    """Return the comparisons that a loop has begun."""
    return [place for place in places.places(layout) if place.order.get("loop") == loop]


def spent_on(layout: Layout, loop: str) -> Spend:
    """Return what earlier sessions of a loop spent on whole plans."""
    return sum((place.spent() for place in compared(layout, loop)), Spend())


def _held(one: Round, kept: KeptCandidate, *, simulated: bool) -> HeldCode:
    return HeldCode(
        step=one.step, candidate=kept.candidate, commit=kept.commit,
        pull_request="" if kept.pull_request is None else str(kept.pull_request),
        iteration=one.place.id, simulated=simulated, surfaces=(), how=_HOW,
    )  # fmt: skip
