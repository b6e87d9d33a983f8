"""`python -m self_improve.full_plan`: parses, builds, compares, tells."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_gateway import arguments
from prompt_lab.layout import SPLITS
from self_improve.arguments import SPEEDS
from self_improve.exits import ended, until_unread

DEFAULT_JUDGE = ""
"""What `--judge` without a name stands for: the judge that fits the model."""

EXAMPLES = """\
examples:
  # what would it cost to regenerate all verify plans? nothing is sent
  python -m self_improve.full_plan --model haiku --dry-run

  # one plan with the best prompt of every step, against the plan as it was stored
  python -m self_improve.full_plan --model haiku --plan 20260502_island_radio --max-cost 5

  # like with like: both sides are made now, by one model, and a judge reads both blind
  python -m self_improve.full_plan --model haiku --regenerate-baseline --judge --max-cost 12

The same command goes on where an interrupted one stopped.

exit codes: 0 compared, whatever came out · 1 compared, and a step of a new plan failed · 2 wrong
usage or configuration · 3 budget reached · 130 interrupted
"""


def parser(prog: str = "python -m self_improve.full_plan") -> argparse.ArgumentParser:
    """Return the parser of this command."""
    made = argparse.ArgumentParser(
        prog=prog,
        description="Regenerate whole plans with the best prompts and compare them with the "
        "baseline plans.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _which(made.add_argument_group("which plans, made by what"))
    _against(made.add_argument_group("against what"))
    _where(made.add_argument_group("where the code and the data are"))
    _limits(made.add_argument_group("limits"))
    told = made.add_argument_group("what it tells")
    told.add_argument(
        "--dry-run", action="store_true", help="show what it would do and cost; send nothing"
    )
    told.add_argument("--json", action="store_true", help="tell the result as JSON")
    return made


def _which(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--split", choices=SPLITS, default=SPLITS[1], help="whose plans (default: %(default)s)"
    )
    group.add_argument(
        "--plan", action="append", default=[], metavar="NAME",
        help="a plan of either split; repeat it for several (default: all of the split)",
    )  # fmt: skip
    group.add_argument(
        "--plans", action="append", default=[], metavar="A,B", help="the same, listed"
    )
    group.add_argument(
        "--model", metavar="NAME", help="the one model (default: the first configured)"
    )
    group.add_argument("--speed", choices=SPEEDS, default=SPEEDS[0], help="how much work to do")
    group.add_argument("--seed", type=int, default=1, help="seed of cells and statistics")


def _against(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--regenerate-baseline", action="store_true",
        help="make the other side anew too, with the code as it is, instead of taking the stored "
        "plan: twice the cost, and like with like",
    )  # fmt: skip
    group.add_argument(
        "--judge", nargs="?", const=DEFAULT_JUDGE, metavar="NAME",
        help="have a model compare the outputs of every step blind, in both orders",
    )  # fmt: skip


def _where(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--prompt-lab-dir", metavar="DIR", help="the data repo (or PROMPT_LAB_DIR)")
    group.add_argument(
        "--host", type=Path, metavar="FILE", help="a host.toml (default: worker_plan)"
    )
    group.add_argument(
        "--repo", type=Path, metavar="DIR",
        help="the git repository of the pipeline's code (default: the one it lies in)",
    )  # fmt: skip
    group.add_argument(
        "--base", metavar="REVISION",
        help="the commit that the best prompts are put into (default: the branch checked out)",
    )  # fmt: skip
    group.add_argument("--new", action="store_true", help="compare the same once more")


def _limits(group: argparse._ArgumentGroup) -> None:
    arguments.cells(group)
    arguments.caps(group)


OK, SOME_FAILED = 0, 1


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Compare whole plans and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Imported now, so that --help answers at once.
    from self_improve import exits

    return ended(lambda: until_unread(lambda: exits.run(_run(options))))


async def _run(options: argparse.Namespace) -> int:
    from self_improve.code.worktree import Worktrees
    from self_improve.full_plan import best_code, pages
    from self_improve.full_plan.comparison import Sides
    from self_improve.full_plan.request import request_of
    from self_improve.full_plan.start import estimated, run
    from self_improve.runs.progress import display

    request = request_of(options)
    worktrees = Worktrees(request.code, request.layout.worktrees)
    base = worktrees.commit_of(request.base)
    after = best_code.with_best(request.layout, worktrees, base, simulated=request.simulated)
    before = best_code.as_it_is(worktrees, base) if request.regenerate_baseline else None
    sides = Sides(after=after, before=before)
    sides.require()
    if options.dry_run:
        expected = await estimated(request, sides)
        if options.json:
            print(json.dumps({**vars(expected), "code": after.to_row()}))
        else:
            for line in pages.code_facts(after.to_row()):
                print(line)
            print(f"{expected.text()}\nNothing was sent.")
        return OK
    found = await run(
        request, sides, new=options.new, display=display(quiet=options.json),
        say=_quiet if options.json else _say,
    )  # fmt: skip
    _tell(options, found)
    failed = any(row["failed_steps"] for row in found.result["plans"].values())
    return SOME_FAILED if failed else OK


def _tell(options: argparse.Namespace, found: Any) -> None:
    from self_improve.full_plan import pages

    if options.json:
        print(json.dumps({**found.result, "path": str(found.place.path)}))
        return
    print(pages.shown(found.result, found.plans))
    _say(f"Recorded in {found.place.path}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _quiet(text: str) -> None:
    """Machines are told the result alone."""
