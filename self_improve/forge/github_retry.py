"""How often and how long GitHub is asked again. Loads PyGithub, so import it where you use it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, TypeVar

from github import GithubRetry
from github.GithubException import RateLimitExceededExceedsMaxWait

from self_improve.forge.forge import UncertainError

if TYPE_CHECKING:
    from urllib3 import Retry
    from urllib3.response import BaseHTTPResponse

T = TypeVar("T")
_LIMITED = (403, 429)


class BoundedRetry(GithubRetry):
    """PyGithub's retries of one request, which wait `seconds` in all at most.

    A read is repeated after any error that may pass; a write only where GitHub refused it by a
    rate limit, because after another error it may have been done: that is left to `repeat`.
    """

    pause = staticmethod(time.sleep)

    def __init__(self, *, seconds: float = 180, **settings: Any) -> None:
        """Set the limits; `settings` are those of urllib3, such as `total`."""
        defaults: dict[str, Any] = {
            "total": 4, "backoff_factor": 1, "backoff_jitter": 0.5, "allowed_methods": {"GET"},
            "status_forcelist": [*_LIMITED, *range(500, 600)],
        }  # fmt: skip
        super().__init__(**defaults | settings)
        self._seconds = seconds

    def new(self, **changes: Any) -> Self:
        """Return a copy with changes, as urllib3 makes one for every attempt."""
        return super().new(seconds=self._seconds, **changes)

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:  # noqa: FBT001, FBT002 - urllib3's
        """Say whether a request may be repeated after a status."""
        return status_code in _LIMITED or super().is_retry(method, status_code, has_retry_after)

    def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
        """Return how many seconds GitHub wants us to wait; PyGithub reads that of a 403 alone."""
        wait, headers = super().get_retry_after(response), response.headers
        if wait is not None or response.status != 429:
            return wait
        reset = headers.get("X-RateLimit-Reset", "")
        if headers.get("X-RateLimit-Remaining") == "0" and reset.isdecimal():
            return max(0.0, float(reset) - time.time()) + 1
        return self.secondary_rate_wait

    def sleep(self, response: BaseHTTPResponse | None = None) -> None:
        """Wait before the next attempt.

        Raises:
            RateLimitExceededExceedsMaxWait: GitHub asks for a longer wait than is left.
        """
        asked = None if response is None else self.get_retry_after(response)
        wait = asked or self.get_backoff_time()
        if response is not None and wait > self._seconds:
            raise RateLimitExceededExceedsMaxWait(response.status, wait=wait)
        self._seconds -= wait
        self.pause(wait)

    def repeat(self, request: Callable[[], T]) -> T:
        """Return what `request` returns, repeated while it is uncertain whether it was done.

        Raises:
            ForgeError: what `request` raises, or its last UncertainError.
        """
        retry: Retry = self
        while True:
            try:
                return request()
            except UncertainError as error:
                if not retry.total:
                    raise
                retry = retry.increment(error=error)
            retry.sleep()
