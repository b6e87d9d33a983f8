"""Luigi's messages: tracebacks go to a file of the plan, and the causes to the terminal."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model_gateway.errors import PlumblineError

FILE = ".luigi.log"
_LOGGERS = ("luigi", "luigi-interface")


@contextmanager
def captured(run_dir: Path) -> Iterator[None]:
    """Write what Luigi and its workers log into a file of the plan, if they log anything.

    The log of an earlier session is removed.
    """
    path = run_dir / FILE
    path.unlink(missing_ok=True)
    # Every worker is a fork and opens the file for itself, so all of them append.
    file = logging.FileHandler(path, mode="a", encoding="utf-8", delay=True)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s: %(message)s"))
    terminal = logging.StreamHandler()
    terminal.setLevel(logging.ERROR)
    terminal.setFormatter(_Cause())
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    propagate = [logger.propagate for logger in loggers]
    for logger in loggers:
        logger.propagate = False
        logger.addHandler(file)
        logger.addHandler(terminal)
    try:
        yield
    finally:
        for logger, before in zip(loggers, propagate, strict=True):
            logger.propagate = before
            logger.removeHandler(file)
            logger.removeHandler(terminal)
        file.close()


class _Cause(logging.Formatter):
    """Formats an error as one line, without its traceback."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the failed step and its cause."""
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return record.getMessage()
        task = record.args[-1] if isinstance(record.args, tuple) and record.args else None
        name = type(task).__module__.rpartition(".")[2] if task is not None else "Luigi"
        kind = "" if isinstance(error, PlumblineError) else f"{type(error).__name__}: "
        return f"{name} failed: {kind}{' '.join(str(error).split())}"
