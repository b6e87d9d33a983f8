"""How often and how long a forge is asked again: bounded, and as it wishes where it says so."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from self_improve.forge.forge import ForgeError, UnreachableError

T = TypeVar("T")
_FIRST_WAIT = 1.0


@dataclass(frozen=True, kw_only=True)
class Later:
    """What went wrong with a request that may go well later.

    `wait` is how many seconds the forge wants us to wait, None where it does not say.
    """

    error: UnreachableError
    wait: float | None


Judge = Callable[[Exception], Later | ForgeError | None]


@dataclass(frozen=True, kw_only=True)
class Patience:
    """At most `tries` requests, and at most `seconds` of waiting between them in all.

    `timeout` is how many seconds one may be silent. `pause` waits.
    """

    tries: int = 5
    seconds: float = 180
    timeout: int = 30
    pause: Callable[[float], None] = time.sleep

    def ask(self, request: Callable[[], T], judge: Judge) -> T:
        """Return what `request` returns, asked again as long as `judge` says it may go well later.

        Raises:
            ForgeError: what `judge` made of the last error; what it knows nothing of is passed on.
        """
        waited, jitter = 0.0, Random()  # noqa: S311 - not for secrets
        for number in range(1, self.tries + 1):
            try:
                return request()
            except Exception as error:
                found = judge(error)
                if found is None:
                    raise
                if isinstance(found, ForgeError):
                    raise found from error
                wait = found.wait
                if wait is None:
                    wait = _FIRST_WAIT * 2 ** (number - 1) * jitter.uniform(0.5, 1)
                if number == self.tries or waited + wait > self.seconds:
                    raise found.error from error
                self.pause(wait)
                waited += wait
        raise AssertionError("at least one request is made")
