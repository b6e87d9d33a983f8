"""`python -m self_improve.optimizer`: parses, builds, runs, tells."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine, Sequence
from typing import Any

from model_gateway import arguments
from self_improve.exits import ended
from self_improve.iteration import command_line

PATIENCE = 3

STAGES = (1, 2, 3)

EXAMPLES = """\
examples:
  # one iteration of a step, with one proposed candidate
  python -m self_improve.optimizer --stages 1 --steps plan_type --models haiku --max-cost 5

  # go on from the best so far until three iterations in a row gain nothing beyond the noise
  python -m self_improve.optimizer --stages 2 --steps plan_type --models haiku --max-cost 20

  # one step after the other, upstream first, each on what the improved ones before it wrote
  python -m self_improve.optimizer --stages 3 --steps identify_purpose,plan_type \\
      --models sim,sim-weak --skip-spot-check

The same command goes on where an interrupted one stopped, and with a higher stage, patience or cap
where a finished one ended. The caps hold over all iterations of the loop together.

exit codes: 0 nothing more to gain · 2 wrong usage or configuration · 3 budget reached ·
130 interrupted
"""


def parser(prog: str = "python -m self_improve.optimizer") -> argparse.ArgumentParser:
    """Return the parser of the loops."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Improve steps by iterations, each from the best so far.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    loop = made.add_argument_group("the loop")
    loop.add_argument(
        "--stages", type=int, choices=STAGES, default=2,
        help="1: one iteration; 2: iterations of one step until nothing more is gained; "
        "3: one step after the other (default: %(default)s)",
    )  # fmt: skip
    loop.add_argument(
        "--steps", metavar="A,B",
        help="the steps, in any order (default for stage 3: all that have a rubric)",
    )  # fmt: skip
    loop.add_argument(
        "--candidates", type=arguments.positive, default=1, metavar="N",
        help="how many candidates an iteration has proposed (default: %(default)s)",
    )  # fmt: skip
    loop.add_argument(
        "--generator", default="reflective", metavar="NAME",
        help="what proposes them; `plumbline generators` lists all (default: %(default)s)",
    )  # fmt: skip
    command_line.small(loop)
    loop.add_argument(
        "--from-synthesis", action="store_true",
        help="take the directions of the step's latest synthesis as candidates",
    )  # fmt: skip
    loop.add_argument(
        "--patience", type=arguments.positive, default=PATIENCE, metavar="K",
        help="end when the last K iterations gained nothing beyond the noise "
        "(default: %(default)s)",
    )  # fmt: skip
    loop.add_argument(
        "--force", action="store_true", help="search also where there is next to nothing to gain"
    )
    loop.add_argument(
        "--full-plan-every", type=arguments.whole, metavar="N",
        help="after every N steps and after the last one make a whole verify plan with what was "
        "kept, and compare it; 0 is never (default: once at the end of stage 3)",
    )  # fmt: skip
    command_line.where(made.add_argument_group("on what"))
    command_line.phases(made.add_argument_group("phases"))
    command_line.limits(made.add_argument_group("limits"))
    made.set_defaults(max_iterations=None)
    return made


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
    from self_improve.iteration.request import request_of
    from self_improve.iteration.start import say, tell_cost_of
    from self_improve.optimizer import loop

    named = [name.strip() for name in (options.steps or "").split(",") if name.strip()]
    steps = loop.checked(named, options.stages)
    if options.from_synthesis:
        options.candidates = 0
    request = request_of(argparse.Namespace(**vars(options), **_nobodys(), step=steps[0]))
    every = options.full_plan_every
    if every is None:
        every = len(steps) if options.stages == LAST_STAGE else 0
    if options.dry_run:
        for step in steps:
            say(step)
            await tell_cost_of(request, step)
        if every:
            say("What is kept then makes whole plans: `plumbline full-plan --dry-run` tells more.")
        return
    limits = loop.LoopLimits(
        patience=options.patience,
        iterations=1 if options.stages == 1 else options.max_iterations,
        force=options.force,
        full_plan_every=every,
    )
    say(f"Recorded in {await loop.run(request, steps, limits, new=options.new)}")


async def _iterate(options: argparse.Namespace) -> None:
    from self_improve.iteration.request import request_of
    from self_improve.iteration.start import say
    from self_improve.optimizer import loop

    # Somebody who names a step and a number of iterations has looked already.
    limits = loop.LoopLimits(patience=PATIENCE, iterations=options.max_iterations, force=True)
    page = await loop.run(request_of(options), [options.step], limits, new=options.new)
    say(f"Recorded in {page}")


def _nobodys() -> dict[str, Any]:
    """Return the options of an iteration that a loop does not have: candidates by people."""
    return {"prompt": [], "branch": None, "pr": None, "expect": [], "rationale": ""}


def _looped(work: Coroutine[Any, Any, None]) -> int:
    from self_improve import exits

    exits.run(work)
    return OK
