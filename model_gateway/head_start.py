"""A process that imports what a gateway needs while others are busy, and becomes one when told to.

It is kept small: whoever starts it does so before importing anything himself.
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

from model_gateway.arguments import CAP_VARIABLES

_SECONDS = 60.0
_SERVE = (sys.executable, "-m", "model_gateway", "serve")


class HeadStart:
    """The process; a context manager that lets it go again if it was not made use of.

    Of `models`, named as on a command line, the first is the one whose SDK it imports; a wrong
    name does no harm. It writes nothing and answers nobody before `become`.
    """

    def __init__(self, models: Sequence[str]) -> None:
        # Its own session, so that a Ctrl-C for the pipeline does not end it in mid-reply.
        self._process = subprocess.Popen(
            [*_SERVE, "--starter", str(os.getpid()), "--", *models], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def become(self, run_dir: Path) -> dict[str, Any]:
        """Make it the gateway beside `run_dir`, under this process's caps, and wait for it.

        It outlives this process's tasks. Returns what it told: `ready`, or an `error`; nothing
        if it died.
        """
        caps = {name: os.environ[name] for name in CAP_VARIABLES.values() if name in os.environ}
        word = json.dumps({"run_dir": str(run_dir), "caps": caps}).encode() + b"\n"
        with suppress(OSError, ValueError, subprocess.TimeoutExpired):
            told: dict[str, Any] = json.loads(self._process.communicate(word, _SECONDS)[0])
            return told
        return {}

    def __enter__(self) -> Self:
        """Go on while it imports."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go; a gateway that it has become stays."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()
