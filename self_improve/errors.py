"""The one error root of this package, so that callers can catch what it means to raise."""

from __future__ import annotations

import traceback
from pathlib import Path

_OWN = Path(__file__).parent


class ImproveError(Exception):
    """Something the optimizer refuses; the message names the thing, the cause and the remedy."""


class UsageError(ImproveError):
    """What was asked for cannot be done as asked: a wrong flag, name, file or configuration."""


class BudgetReached(Exception):  # noqa: N818 - an outcome: the same command goes on
    """A cap was reached; the text says which. The same command with a higher one does the rest."""


def located(error: BaseException) -> str:
    """Return the kind of an error that a host's code raised, its message, and where that was."""
    told = traceback.TracebackException.from_exception(error)
    if isinstance(error, SyntaxError):
        place = (error.filename, error.lineno)
        message = error.msg
    else:
        frames = [(frame.filename, frame.lineno) for frame in told.stack]
        place = next((f for f in reversed(frames) if not f[0].startswith("<frozen")), (None, None))
        message = str(told)
    name = type(error).__name__
    if place[0] is None or Path(place[0]).is_relative_to(_OWN):
        return f"{name}: {message}"
    return f"{name}: {message} ({place[0]}, line {place[1]})"
