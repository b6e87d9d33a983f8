"""Run the pipeline from a plan text, and go on with a plan that was interrupted."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
SPEEDS = ("ALL_DETAILS_BUT_SLOW", "FAST_BUT_SKIP_DETAILS", "PING_LLM")

EXAMPLES = """\
examples:
  python -m worker_plan run --plan idea.txt --model llama --run-dir plans/idea
  python -m worker_plan run --plan "A bakery on a canal boat." --model sim --run-dir plans/boat
  python -m worker_plan resume plans/idea --model llama

exit codes: 0 done · 1 a step failed · 2 wrong usage or configuration · 130 interrupted
"""


def parser(prog: str = "python -m worker_plan") -> argparse.ArgumentParser:
    """Return the parser of this package's commands."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Turn a plan text into a plan, step by step.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = made.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the pipeline on a plan text")
    run.add_argument("--plan", required=True, metavar="FILE|TEXT", help="the plan text or its file")
    run.add_argument(
        "--run-dir", type=Path, required=True, metavar="DIR", help="the plan's directory"
    )
    resume = commands.add_parser("resume", help="go on with an interrupted plan")
    resume.add_argument("run_dir", type=Path, metavar="DIR", help="the plan's directory")
    for command in (run, resume):
        command.add_argument(
            "--model", action="append", default=[], metavar="NAME",
            help="the model; further ones are fallbacks (default: the configured list)",
        )  # fmt: skip
        command.add_argument(
            "--speed", choices=SPEEDS, default=SPEEDS[0], help="how much work to do"
        )
        command.add_argument(
            "--workers", type=_positive, default=4, metavar="N", help="steps side by side"
        )
    return made


def _positive(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1")
    return number


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, run the pipeline, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Everything else is imported now, so that --help answers at once.
    from model_gateway.errors import GatewayError
    from worker_plan import plan_run
    from worker_plan.errors import PlanError

    again = f"Go on with: python -m worker_plan resume {options.run_dir}"
    try:
        if options.command == "run":
            plan_run.begin(options.run_dir, options.plan)
        done = plan_run.carry_on(
            options.run_dir, models=options.model, speed=options.speed, workers=options.workers
        )
    except (GatewayError, PlanError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return USAGE
    except KeyboardInterrupt:
        sys.stderr.write(f"Interrupted. {again}\n")
        return INTERRUPTED
    if not done:
        sys.stderr.write(f"A step failed. {again}\n")
        return FAILED
    print(f"Done: {options.run_dir}")
    return OK
