"""The observer of calls whose progress nobody looks at."""

from __future__ import annotations

from model_gateway.attempt import Attempt


class Unwatched:
    """Hears of attempts and does nothing; what counts of them stands in the journal."""

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:
        """Pass over the attempt."""

    def waiting(self, *, now: bool) -> None:
        """Pass over the waiting."""
