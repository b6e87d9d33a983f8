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
from self_improve.full_plan.best_code import Held
from self_improve.full_plan.comparison import Say, Sides
from self_improve.full_plan.folder import Place
from self_improve.full_plan.request import Request
from self_improve.full_plan.start import Found, run
from self_improve.iteration.request import Wish
from self_improve.optimizer.rounds import Kept, Round
from self_improve.runs.progress import Display

_HOW = "kept by the loop"


async def compare(
    wish: Wish,
    loop: dict[str, Any],
    rounds: Sequence[Round],
    gateway: Gateway,
    display: Display,
    say: Say,
) -> Found | None:
    """Compare a verify plan made by the best code so far, on the loop's first model and ledger.

    Every comparison takes the next verify plan. The same call again finds what was compared.

    Returns:
        None if nothing was kept, or there is no verify plan.

    Raises:
        BudgetReached: a cap was reached.
        UsageError, LabError, OSError: as the message says.
    """
    kept = [(one, one.kept) for one in rounds if one.kept is not None]
    folder = wish.layout.split(SPLITS[1])
    plans = sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if not kept or not plans:
        say(
            "No whole plan is compared: "
            + ("there is no verify plan." if kept else "nothing was kept.")
        )
        return None
    plan = plans[(len(kept) - 1) % len(plans)]
    request = Request(
        layout=wish.layout, catalogue=wish.catalogue, model=wish.models[0],
        plans={plan.name: plan}, code=wish.code, base=loop["start"], host_file=wish.host_file,
        speed=wish.speed, seed=wish.seed, seconds=wish.seconds, workers=wish.workers,
        caps=wish.caps, loop=loop["name"],
    )  # fmt: skip
    worktrees = Worktrees(wish.code, wish.layout.worktrees)
    last = {one.step: _held(one, best, simulated=wish.simulated) for one, best in kept}
    code = best_code.as_it_is(worktrees, kept[-1][1].commit, list(last.values()))
    say(f"A whole plan, {plan.name}, with what the loop has kept:")
    found = await run(
        request, Sides(after=code), new=False, display=display, say=say, gateway=gateway
    )
    say(f"{found.result['told']}: {found.place.path}")
    return found


def compared(layout: Layout, loop: str) -> list[Place]:
    """Return the comparisons that a loop has begun."""
    return [place for place in places.places(layout) if place.order.get("loop") == loop]


def spent_on(layout: Layout, loop: str) -> Spend:
    """Return what earlier sessions of a loop spent on whole plans."""
    return sum((place.spent() for place in compared(layout, loop)), Spend())


def _held(one: Round, kept: Kept, *, simulated: bool) -> Held:
    return Held(
        step=one.step, candidate=kept.candidate, commit=kept.commit,
        pull_request="" if kept.pull_request is None else str(kept.pull_request),
        iteration=one.place.id, simulated=simulated, surfaces=(), how=_HOW,
    )  # fmt: skip
