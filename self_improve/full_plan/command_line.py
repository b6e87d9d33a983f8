"""The command line of `python -m self_improve.full_plan`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

from model_gateway import arguments
from model_gateway.exits import OK, exit_code, run, say
from prompt_lab import arguments as lab_arguments
from prompt_lab.layout import SPLITS
from self_improve import arguments as step_arguments

PROG = "python -m self_improve.full_plan"
SOME_FAILED = 1
DEFAULT_JUDGE = ""
"""The value of `--judge` without a name: the judge that fits the model."""

EXAMPLES = """\
examples:
  # estimate the cost of regenerating all verify plans; nothing is sent
  python -m self_improve.full_plan --model haiku --dry-run

  # one plan with the best prompt of every step, against the plan as it was stored
  python -m self_improve.full_plan --model haiku --plan 20260502_island_radio --max-cost 5

  # like with like: one model generates both sides now, and a judge reads both blind
  python -m self_improve.full_plan --model haiku --regenerate-baseline --judge --max-cost 12

Run the same command again to resume; finished calls are not repeated.

exit codes: 0 compared, whatever the result · 1 compared, and a step of a new plan failed, or steps
stayed open · 2 wrong usage or configuration · 3 budget reached · 130 interrupted
"""


def parser(prog: str = PROG) -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = arguments.new_parser(
        prog,
        "Regenerate whole plans with the best prompts and compare them with the baseline plans.",
        EXAMPLES,
    )
    plans = parser.add_argument_group("plans and model")
    lab_arguments.split(plans, default=SPLITS[1])
    plans.add_argument(
        "--plan", action="append", default=[], metavar="NAME",
        help="a plan of either split; may be repeated (default: all of the split)",
    )  # fmt: skip
    plans.add_argument(
        "--plans", action="append", default=[], metavar="A,B", help="the same, as a list"
    )
    arguments.model(plans, "the one model (default: the first configured)", only_one=True)
    step_arguments.speed(plans)
    arguments.seed(plans, "cells and statistics")

    baseline = parser.add_argument_group("what they are compared with")
    baseline.add_argument(
        "--regenerate-baseline", action="store_true",
        help="regenerate the baseline too, with the code as it is, instead of the stored plan: "
        "twice the cost, and like with like",
    )  # fmt: skip
    baseline.add_argument(
        "--judge", nargs="?", const=DEFAULT_JUDGE, metavar="NAME",
        help="have a model compare the outputs of every step blind, in both orders",
    )  # fmt: skip

    data = parser.add_argument_group("code and data")
    lab_arguments.lab(data)
    step_arguments.host(data)
    step_arguments.repository(data)
    step_arguments.sandbox(data)
    data.add_argument(
        "--base", metavar="REVISION",
        help="the commit that the best prompts are put into (default: the branch checked out)",
    )  # fmt: skip
    data.add_argument("--new", action="store_true", help="compare the same once more")

    limits = parser.add_argument_group("limits")
    arguments.cells(limits)
    arguments.accept_failures(limits)
    arguments.caps(limits)

    shown = parser.add_argument_group("output")
    arguments.dry_run(shown)
    arguments.as_json(shown)
    return parser


def main(words: Sequence[str] | None = None, *, prog: str = PROG) -> int:
    """Compare whole plans and return the exit code."""
    options = parser(prog).parse_args(words)
    return exit_code(lambda: run(_run(options)))


async def _run(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from self_improve.code.worktrees import Worktrees
    from self_improve.full_plan import best_code, pages, start
    from self_improve.full_plan.comparison import CodeSides
    from self_improve.full_plan.request import request_of
    from self_improve.runs.progress import display

    request = request_of(options)
    worktrees = Worktrees(request.code, request.layout.worktrees, redactor=request.run.redactor)
    base = worktrees.commit_of(request.base)
    after = best_code.with_best(request.layout, worktrees, base, simulated=request.simulated)
    before = best_code.unchanged(worktrees, base) if request.regenerate_baseline else None
    sides = CodeSides(after=after, before=before)
    sides.require()
    if options.dry_run:
        estimate = await start.estimate(request, sides)
        if options.json:
            print(json.dumps({**vars(estimate), "code": after.to_row()}))
        else:
            for line in pages.code_facts(after.to_row()):
                print(line)
            print(f"{estimate.text()}\nNothing was sent.")
        return OK
    comparison = await start.run(
        request, sides, new=options.new, display=display(quiet=options.json),
        say=(lambda _: None) if options.json else say,
    )  # fmt: skip
    _print(options, comparison)
    failed = any(row["failed_steps"] for row in comparison.result["plans"].values())
    return SOME_FAILED if failed else OK


def _print(options: argparse.Namespace, comparison: Any) -> None:
    from self_improve.full_plan import pages

    if options.json:
        print(json.dumps({**comparison.result, "path": str(comparison.folder.path)}))
        return
    print(pages.shown(comparison.result, comparison.plans))
    say(f"Recorded in {comparison.folder.path}")
