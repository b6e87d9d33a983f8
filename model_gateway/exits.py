"""How commands end: what stopped one becomes a line for people and an exit code."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

from model_gateway import kernel
from model_gateway.errors import BudgetReached, CellsOpen, PlumblineError
from model_gateway.terminal import guarded

T = TypeVar("T")

OK, CELLS_OPEN, USAGE, BUDGET, INTERRUPTED = 0, 1, 2, 3, 130
RESUME = "Run the same command again to resume; finished calls are not repeated."
_HINTS = {
    errno.ENOENT: " Check the name.",
    errno.ENOTDIR: " Check the name: a part of it is not a directory.",
    errno.EACCES: " See who may use it: ls -ld.",
    errno.EPERM: " See who may use it: ls -ld.",
    errno.ELOOP: " It is a link that leads to itself; remove it.",
    errno.EISDIR: " Name a file.",
    errno.ENAMETOOLONG: " Use a shorter name.",
    errno.ENOSPC: f" Make room on the disk. {RESUME}",
    errno.EROFS: " Name a place that can be written.",
}


def exit_code(command: Callable[[], int]) -> int:
    """Run `command` and return its exit code, or the code of what stopped it.

    Every error of a group is printed. Errors that no package raises on purpose are bugs and are
    raised unchanged. Standard output that is closed or that nobody reads any more changes nothing.
    """
    with guarded():
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
            refusals = [one for one in errors if not isinstance(one, BudgetReached)]
            if refusals and all(isinstance(one, CellsOpen) for one in refusals):
                for message in dict.fromkeys(map(str, refusals)):
                    say(message)
                return CELLS_OPEN
            if not refusals:
                say(f"Stopped: {errors[0]}. Run the same command with a higher cap to do the rest.")
                return BUDGET
            for message in dict.fromkeys(map(_message, refusals)):
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


def _message(error: BaseException) -> str:
    """Return the message of an error; one of the system gets its file's name and what to do."""
    if isinstance(error, PlumblineError) or not isinstance(error, OSError) or not error.filename:
        return str(error)
    hint = _HINTS.get(error.errno or 0, "")
    return f"{error.filename}: {error.strerror}.{hint}"
