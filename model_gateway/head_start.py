"""A process that imports what a gateway needs in the background, and becomes one on request.

This module is small, because its caller starts the process before importing anything else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from model_gateway.cap_variables import CAP_VARIABLES
from model_gateway.line_connection import to_line

_SECONDS = 60.0
_BESIDE = (sys.executable, "-m", "model_gateway", "beside")


class HeadStart:
    """The process; a context manager that ends it if it was not used.

    It imports the SDK of the first of `models`, named as on a command line; a wrong name does no
    harm. It writes nothing and accepts no connection before `become`.
    """

    def __init__(self, models: Sequence[str]) -> None:
        # Its own session, so that a Ctrl-C for the pipeline does not end it in mid-reply.
        self._process = subprocess.Popen(
            [*_BESIDE, "--starter", str(os.getpid()), "--", *models], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def become(self, run_dir: Path) -> dict[str, Any]:
        """Make it the gateway beside `run_dir`, under this process's caps, and wait for it.

        It outlives this process's tasks. Returns its message: `ready`, or an `error`; an empty one
        if it died.
        """
        caps = {name: os.environ[name] for name in CAP_VARIABLES.values() if name in os.environ}
        request = to_line({"run_dir": str(run_dir), "caps": caps})
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            answer: dict[str, Any] = json.loads(self._process.communicate(request, _SECONDS)[0])
            return answer
        return {}

    def __enter__(self) -> Self:
        """Return at once, while it imports."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it, unless it has become a gateway."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()
