"""How the long commands end: what stopped one becomes a line for people and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable

from self_improve.errors import BudgetReached, ImproveError

USAGE, BUDGET, INTERRUPTED = 2, 3, 130


def ended(command: Callable[[], int]) -> int:
    """Run `command` and return its exit code, or that of what stopped it.

    Of errors in a group the first one counts. What none of the packages raises on purpose is
    raised as it came.
    """
    try:
        return command()
    except BaseException as error:
        # Imported here, so that --help answers at once, and that Ctrl-C before is told as well.
        from analysis.errors import AnalysisError
        from model_gateway.errors import GatewayError
        from prompt_lab.errors import LabError
        from rubrics.errors import RubricError

        known = (AnalysisError, GatewayError, ImproveError, LabError, OSError, RubricError)
        first = error
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
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


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
