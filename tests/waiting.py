"""Waiting in tests for what happens: as long as a busy machine needs, but not for a dead child."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

LONGEST = 120.0
"""Seconds after which an event is taken not to happen. Only a test that fails waits so long."""


Process = subprocess.Popen[str] | subprocess.Popen[bytes]


def until(condition: Callable[[], object], process: Process | None = None) -> None:
    """Wait until `condition` holds; fail when `process` ends before that, or nothing happens."""
    end = time.monotonic() + LONGEST
    while not condition():
        if process is not None and process.poll() is not None and not condition():
            output, errors = process.communicate()
            raise AssertionError(f"It ended with {process.returncode}: {output!r} {errors!r}")
        assert time.monotonic() < end, f"It did not happen within {LONGEST:g} seconds."
        time.sleep(0.01)


def stretched(seconds: float) -> float:
    """Return a time limit that gives work as much as `seconds` give it on an idle machine.

    The yardstick is how long the processor takes now for a twentieth of a second of work.
    """
    began, worked = time.monotonic(), time.thread_time()
    while time.thread_time() - worked < 0.05:
        pass
    slowness = (time.monotonic() - began) / 0.05
    return seconds if slowness < 1.5 else round(2 * slowness * seconds, 1)
