"""The error root of the optimizer, and where an error of a host's code was raised."""

from __future__ import annotations

import traceback
from pathlib import Path

from model_gateway.errors import PlumblineError

_PACKAGE = Path(__file__).parent


class ImproveError(PlumblineError):
    """Something the optimizer refuses."""


class UsageError(ImproveError):
    """What was asked for cannot be done as asked: a wrong flag, name, file or configuration."""


def located(error: BaseException) -> str:
    """Return the kind, message and source line of an error that a host's code raised."""
    trace = traceback.TracebackException.from_exception(error)
    if isinstance(error, SyntaxError):
        location = (error.filename, error.lineno)
        message = error.msg
    else:
        frames = [(frame.filename, frame.lineno) for frame in trace.stack]
        in_files = (frame for frame in reversed(frames) if not frame[0].startswith("<frozen"))
        location = next(in_files, (None, None))
        message = str(trace)
    name = type(error).__name__
    if location[0] is None or Path(location[0]).is_relative_to(_PACKAGE):
        return f"{name}: {message}"
    return f"{name}: {message} ({location[0]}, line {location[1]})"
