"""`run_optimization_iteration.py`: parses, builds, runs, tells."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from self_improve.command_line import load
from self_improve.ending import ended
from self_improve.iteration.options import parser

OK, REJECTED = 0, 1


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run an iteration and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    if options.max_iterations > 1 and not options.dry_run:
        # Loops stand above iterations, so they are named and not imported.
        several: int = load("self_improve.optimizer.command_line:iterate")(options)
        return several
    return ended(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    # Imported now, so that --help answers at once.
    from self_improve import interruption
    from self_improve.iteration.running import run
    from self_improve.iteration.wish import wish_of

    ends = interruption.run(run(wish_of(options), new=options.new, dry_run=options.dry_run))
    return REJECTED if ends and set(ends) == {"NO"} else OK
