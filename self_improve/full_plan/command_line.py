"""`python -m self_improve.full_plan`: parses, builds, compares, tells."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from self_improve.ending import ended
from self_improve.errors import until_unread
from self_improve.full_plan.options import parser

OK, SOME_FAILED = 0, 1


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Compare whole plans and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    # Imported now, so that --help answers at once.
    from self_improve import interruption

    return ended(lambda: until_unread(lambda: interruption.run(_run(options))))


async def _run(options: argparse.Namespace) -> int:
    from self_improve.full_plan import best_code, telling
    from self_improve.full_plan.comparing import Sides
    from self_improve.full_plan.request import request_of
    from self_improve.full_plan.running import estimated, run
    from self_improve.progress import display
    from self_improve.worktree import Worktrees

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
            for line in telling.code_facts(after.to_row()):
                print(line)
            print(f"{expected.told()}\nNothing was sent.")
        return OK
    found = await run(
        request, sides, new=options.new, display=display(quiet=options.json),
        say=_quiet if options.json else _say,
    )  # fmt: skip
    _tell(options, found)
    failed = any(row["failed_steps"] for row in found.result["plans"].values())
    return SOME_FAILED if failed else OK


def _tell(options: argparse.Namespace, found: Any) -> None:
    from self_improve.full_plan import telling

    if options.json:
        print(json.dumps({**found.result, "path": str(found.place.path)}))
        return
    print(telling.shown(found.result, found.plans))
    _say(f"Recorded in {found.place.path}")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _quiet(text: str) -> None:
    """Machines are told the result alone."""
