"""The command line of `python -m self_improve.optimizer`."""

from __future__ import annotations

import argparse
from collections.abc import Coroutine, Sequence
from typing import Any

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, run, say
from model_gateway.invocation import typed
from self_improve.iteration import command_line

PROG = "python -m self_improve.optimizer"
PATIENCE = 3
STAGES = (1, 2, 3)
LAST_STAGE = STAGES[-1]

EXAMPLES = """\
examples:
  # one iteration of a step, with one proposed candidate
  python -m self_improve.optimizer --stages 1 --steps plan_type --models haiku --max-cost 5

  # continue from the best so far until three iterations in a row gain nothing beyond the noise
  python -m self_improve.optimizer --stages 2 --steps plan_type --models haiku --max-cost 20

  # one step after the other, upstream first, each on the outputs of the improved ones before it
  python -m self_improve.optimizer --stages 3 --steps identify_purpose,plan_type \\
      --models sim,sim-weak --skip-spot-check

Run the same command again to resume an interrupted loop, or with a higher stage, patience or cap to
continue a finished one. The caps hold over all iterations of the loop together.

exit codes: 0 nothing more to gain · 1 cells stayed open · 2 wrong usage or configuration ·
3 budget reached · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of the loops."""
    parser = arguments.new_parser(
        prog, "Improve steps by iterations, each from the best so far.", EXAMPLES
    )
    loop = parser.add_argument_group("the loop")
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
        help="how many candidates an iteration proposes (default: %(default)s)",
    )  # fmt: skip
    command_line.search(loop)
    loop.add_argument(
        "--patience", type=arguments.positive, default=PATIENCE, metavar="K",
        help="end when the last K iterations gained nothing beyond the noise "
        "(default: %(default)s)",
    )  # fmt: skip
    loop.add_argument(
        "--full-plan-every", type=arguments.whole, metavar="N",
        help="after every N steps and after the last one, regenerate a whole verify plan with the "
        "kept candidates and compare it; 0 is never (default: once at the end of stage 3)",
    )  # fmt: skip
    command_line.context(parser.add_argument_group("models, plans and code"))
    command_line.phases(parser.add_argument_group("phases"))
    command_line.limits(parser.add_argument_group("limits"))
    parser.set_defaults(max_iterations=None)
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Run a loop and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: _done(_run(options)))


def iterate(options: argparse.Namespace) -> int:
    """Run the loop that `run_optimization_iteration.py --max-iterations N` asks for."""
    return exit_code(lambda: _done(_iterate(options)))


async def _run(options: argparse.Namespace) -> None:
    from self_improve.iteration.request import request_of
    from self_improve.iteration.start import show_cost_of_step
    from self_improve.optimizer import loop

    steps = loop.checked(arguments.names(options.steps), options.stages)
    if options.from_synthesis:
        options.candidates = 0
    # A loop has no candidates by people.
    absent: dict[str, Any] = dict.fromkeys(("branch", "pr"))
    absent |= {"prompt": [], "expect": [], "rationale": "", "step": steps[0]}
    request = request_of(argparse.Namespace(**vars(options), **absent))
    every = options.full_plan_every
    if every is None:
        every = len(steps) if options.stages == LAST_STAGE else 0
    if options.dry_run:
        for step in steps:
            say(step)
            await show_cost_of_step(request, step)
        if every:
            say(f"Whole plans cost extra: see `{typed('full-plan --dry-run')}`.")
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
    from self_improve.optimizer import loop

    # Naming a step and a number of iterations is a decision to search.
    limits = loop.LoopLimits(patience=PATIENCE, iterations=options.max_iterations, force=True)
    page = await loop.run(request_of(options), [options.step], limits, new=options.new)
    say(f"Recorded in {page}")


def _done(work: Coroutine[Any, Any, None]) -> int:
    run(work)
    return OK
