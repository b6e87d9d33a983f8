"""Re-execute one Luigi step on baseline plans, over a matrix of models: the main command."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from typing import NoReturn

from self_improve.options import parser

USAGE, INTERRUPTED = 2, 130


def main(arguments: Sequence[str] | None = None, *, prog: str | None = None) -> int:
    """Parse the command line, run, and return the exit code."""
    options = (parser(prog) if prog else parser()).parse_args(arguments)
    try:
        # Everything else is imported now, so that --help and a wrong flag answer at once.
        from model_gateway.errors import GatewayError
        from prompt_lab.errors import LabError
        from self_improve import interruption, run_command
        from self_improve.errors import ImproveError

        expected = (GatewayError, LabError, ImproveError, OSError)
        return interruption.run(run_command.execute(options))
    except KeyboardInterrupt:
        _say("Interrupted. What was answered is recorded; the same command goes on from there.")
        return INTERRUPTED
    except expected as error:
        _say(f"error: {error}")
    except BaseExceptionGroup as group:
        wanted, others = group.split(expected)
        if others is not None or wanted is None:
            raise
        for leaf in _leaves(wanted):
            _say(f"error: {leaf}")
    return USAGE


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def leave(code: int) -> NoReturn:
    """End the process at once: taking down all that was imported would take half a second."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main())
