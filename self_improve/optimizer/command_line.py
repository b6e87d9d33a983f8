"""`python -m self_improve.optimizer`: parses, builds, runs, tells."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine, Sequence
from typing import Any

from self_improve.ending import ended
from self_improve.optimizer.options import PATIENCE, STAGES, parser

LAST_STAGE = STAGES[-1]
OK = 0


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run a loop and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    return ended(lambda: _looped(_run(options)))


def iterate(options: argparse.Namespace) -> int:
    """Run the loop that `run_optimization_iteration.py --max-iterations N` asks for."""
    return ended(lambda: _looped(_iterate(options)))


async def _run(options: argparse.Namespace) -> None:
    from self_improve.iteration.running import say, tell_cost_of
    from self_improve.iteration.wish import wish_of
    from self_improve.optimizer import loop

    named = [name.strip() for name in (options.steps or "").split(",") if name.strip()]
    steps = loop.checked(named, options.stages)
    if options.from_synthesis:
        options.candidates = 0
    wish = wish_of(argparse.Namespace(**vars(options), **_nobodys(), step=steps[0]))
    every = options.full_plan_every
    if every is None:
        every = len(steps) if options.stages == LAST_STAGE else 0
    if options.dry_run:
        for step in steps:
            say(step)
            await tell_cost_of(wish, step)
        if every:
            say("What is kept then makes whole plans: `plumbline full-plan --dry-run` tells more.")
        return
    limits = loop.Limits(
        patience=options.patience,
        iterations=1 if options.stages == 1 else options.max_iterations,
        force=options.force,
        full_plan_every=every,
    )
    say(f"Recorded in {await loop.run(wish, steps, limits, new=options.new)}")


async def _iterate(options: argparse.Namespace) -> None:
    from self_improve.iteration.running import say
    from self_improve.iteration.wish import wish_of
    from self_improve.optimizer import loop

    # Somebody who names a step and a number of iterations has looked already.
    limits = loop.Limits(patience=PATIENCE, iterations=options.max_iterations, force=True)
    page = await loop.run(wish_of(options), [options.step], limits, new=options.new)
    say(f"Recorded in {page}")


def _nobodys() -> dict[str, Any]:
    """Return the options of an iteration that a loop does not have: candidates by people."""
    return {"prompt": [], "branch": None, "pr": None, "expect": [], "rationale": ""}


def _looped(work: Coroutine[Any, Any, None]) -> int:
    from self_improve import interruption

    interruption.run(work)
    return OK
