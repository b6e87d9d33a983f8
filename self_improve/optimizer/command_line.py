"""`python -m self_improve.optimizer`: parses, builds, runs, tells."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Sequence
from typing import Any

from self_improve.optimizer.options import PATIENCE, STAGES, parser

LAST_STAGE = STAGES[-1]
OK, USAGE, BUDGET, INTERRUPTED = 0, 2, 3, 130


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run a loop and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    return ended(_run, options)


def iterate(options: argparse.Namespace) -> int:
    """Run the loop that `run_optimization_iteration.py --max-iterations N` asks for."""
    return ended(_iterate, options)


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


def ended(work: Any, options: argparse.Namespace) -> int:
    """Do `work`, tell what stopped it, and return the exit code."""
    # Everything else is imported now, so that --help answers at once.
    from analysis.errors import AnalysisError
    from model_gateway.errors import GatewayError
    from prompt_lab.errors import LabError
    from rubrics.errors import RubricError
    from self_improve import interruption
    from self_improve.errors import ImproveError
    from self_improve.iteration.ground import BudgetReached

    known = (AnalysisError, GatewayError, ImproveError, LabError, OSError, RubricError)
    made: Awaitable[None] = work(options)
    try:
        interruption.run(_awaited(made))
    except BaseException as error:
        first = _first(error)
        if isinstance(first, BudgetReached):
            _say(f"Stopped: {first}. The same command with a higher cap does the rest.")
            return BUDGET
        if isinstance(first, KeyboardInterrupt):
            _say("Interrupted. The same command goes on where this one stopped.")
            return INTERRUPTED
        if not isinstance(first, known):
            raise
        _say(f"error: {first}")
        return USAGE
    return OK


async def _awaited(work: Awaitable[None]) -> None:
    await work


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
