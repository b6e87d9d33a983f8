"""How the long commands end: what stopped one becomes a line for people and an exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from self_improve.errors import BudgetReached, ImproveError

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop of its own until it ends or is told to.

    The first SIGINT or SIGTERM cancels it. Those that follow while it tidies up are passed over:
    they would only leave records half written and print what nobody has to read.

    Raises:
        KeyboardInterrupt: it was told to end.
    """
    try:
        return asyncio.run(_until_told(work))
    except asyncio.CancelledError as cancelled:
        raise KeyboardInterrupt from cancelled


async def _until_told(work: Coroutine[Any, Any, T]) -> T:
    task = asyncio.ensure_future(work)
    told = False

    def tell() -> None:
        nonlocal told
        if not told:
            told = True
            task.cancel()

    for kind in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(kind, tell)
    return await task


def until_unread(command: Callable[[], int]) -> int:
    """Return the exit code of a command; 0 if its reader has seen enough, as `head` does."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        # What still waits to be written would complain once more when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


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
