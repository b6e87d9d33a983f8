"""`run_optimization_iteration.py`: parses, builds, runs, tells."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from self_improve.command_line import load
from self_improve.iteration.options import parser

OK, REJECTED, USAGE, BUDGET, INTERRUPTED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Run an iteration and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    if options.max_iterations > 1 and not options.dry_run:
        # Loops stand above iterations, so they are named and not imported.
        several: int = load("self_improve.optimizer.command_line:iterate")(options)
        return several
    try:
        # Everything else is imported now, so that --help answers at once.
        from analysis.errors import AnalysisError
        from model_gateway.errors import GatewayError
        from prompt_lab.errors import LabError
        from rubrics.errors import RubricError
        from self_improve import interruption
        from self_improve.errors import ImproveError
        from self_improve.iteration.ground import BudgetReached
        from self_improve.iteration.running import run
        from self_improve.iteration.wish import wish_of

        wish = wish_of(options)
        ends = interruption.run(run(wish, new=options.new, dry_run=options.dry_run))
    except KeyboardInterrupt:
        return _interrupted()
    except BudgetReached as reached:
        _say(f"Stopped: {reached}. The same command with a higher cap does the rest.")
        return BUDGET
    except (
        AnalysisError, GatewayError, ImproveError, LabError, OSError, RubricError,
    ) as error:  # fmt: skip
        _say(f"error: {error}")
        return USAGE
    except BaseExceptionGroup as group:
        first = group.exceptions[0]
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, KeyboardInterrupt):
            return _interrupted()
        _say(f"error: {first}")
        return USAGE
    return REJECTED if ends and set(ends) == {"NO"} else OK


def _interrupted() -> int:
    _say("Interrupted. The same command goes on where this one stopped.")
    return INTERRUPTED


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
