"""An event loop whose clock jumps to the next timer, so that minutes pass in no time."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_REALLY_SECONDS = 0.01


class _Clock(selectors.DefaultSelector):
    """Waits for what really happens where no timer is set or a thread is at work."""

    now = 0.0
    threads = 0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.threads:
            return super().select(_REALLY_SECONDS)
        events = super().select(0)
        if not events:
            self.now += timeout
        return events


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._clock = _Clock()
        super().__init__(self._clock)

    def time(self) -> float:
        return self._clock.now

    def run_in_executor(self, *work: Any) -> asyncio.Future[Any]:
        self._clock.threads += 1
        done = super().run_in_executor(*work)
        done.add_done_callback(self._returned)
        return done

    def _returned(self, _: asyncio.Future[Any]) -> None:
        self._clock.threads -= 1


def run(scenario: Coroutine[Any, Any, T]) -> T:
    """Run `scenario` to its end; its sleeps take no time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(scenario)


def now() -> float:
    """Return the seconds since the loop was made."""
    return asyncio.get_running_loop().time()
