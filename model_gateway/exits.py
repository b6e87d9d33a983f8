"""How commands end: what stopped one becomes a line for people and an exit code."""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from model_gateway import kernel
from model_gateway.errors import BudgetReached, PlumblineError

T = TypeVar("T")

OK, USAGE, BUDGET, INTERRUPTED = 0, 2, 3, 130
RESUME = "Run the same command again to resume; finished calls are not repeated."


def exit_code(command: Callable[[], int]) -> int:
    """Run `command` and return its exit code, or the code of what stopped it.

    Every error of a group is printed. Errors that no package raises on purpose are bugs and are
    raised unchanged. A reader that closes standard output early, as `head` does, is not an error.
    """
    try:
        code = command()
        sys.stdout.flush()
    except BaseException as error:
        errors = list(_leaves(error))
        interrupts = [one for one in errors if isinstance(one, KeyboardInterrupt)]
        if interrupts:
            say(f"Interrupted. {str(interrupts[0]) or RESUME}")
            return INTERRUPTED
        if not all(isinstance(one, (PlumblineError, OSError)) for one in errors):
            raise
        if any(isinstance(one, BrokenPipeError) for one in errors) and _is_unread():
            return OK
        refusals = [one for one in errors if not isinstance(one, BudgetReached)]
        if not refusals:
            say(f"Stopped: {errors[0]}. Run the same command with a higher cap to do the rest.")
            return BUDGET
        for message in dict.fromkeys(map(str, refusals)):
            say(f"error: {message}")
        return USAGE
    return code


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` in an event loop of its own until it ends or is interrupted.

    The first SIGINT or SIGTERM cancels it. Later ones, while it cleans up, are ignored: they would
    leave records half written.

    Raises:
        KeyboardInterrupt: a signal arrived.
    """
    import asyncio  # imported here because parsers answer --help sooner without it

    # What runs for long may hold keys; what it starts is readable again, after its own exec.
    kernel.hide_from_others()

    async def until_signal() -> T:
        task = asyncio.ensure_future(work)
        signalled = False

        def cancel() -> None:
            nonlocal signalled
            if not signalled:
                signalled = True
                task.cancel()

        for kind in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(kind, cancel)
        return await task

    try:
        return asyncio.run(until_signal())
    except asyncio.CancelledError as cancelled:
        raise KeyboardInterrupt from cancelled


def say(text: str) -> None:
    """Print a line for people, where it does not mix with a command's result."""
    sys.stderr.write(text + "\n")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _is_unread() -> bool:
    """Whether standard output is a pipe without a reader; then the rest of it goes nowhere."""
    try:
        output = sys.stdout.fileno()
    except OSError:
        return False
    poll = select.poll()
    poll.register(output, 0)
    if not any(event & select.POLLERR for _, event in poll.poll(0)):
        return False
    # What is left in the buffer would raise once more when the interpreter ends.
    os.dup2(os.open(os.devnull, os.O_WRONLY), output)
    return True
