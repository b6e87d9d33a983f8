"""The calls of one cell and their cost, updated with every attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.blame import is_tried_again
from model_gateway.call import FailureKind, Source


@dataclass(kw_only=True)
class Account:
    """The attempts of a cell, as the gateway reports them to an observer.

    The record of a replayed attempt has its original source.
    """

    attempts: list[Attempt] = field(default_factory=list)
    replayed: int = 0
    changed: Callable[[Attempt, bool], None] | None = None
    _waiting: int = 0
    _since: float = 0.0
    _waited: float = 0.0

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:
        """Record an attempt."""
        self.attempts.append(attempt)
        self.replayed += replayed
        if self.changed is not None:
            self.changed(attempt, replayed)

    def waiting(self, *, now: bool) -> None:
        """Record that a call begins to wait for its turn, or no longer waits."""
        self._waited, self._since = self.queued, time.monotonic()
        self._waiting += 1 if now else -1

    @property
    def queued(self) -> float:
        """The seconds during which at least one call was waiting for its turn."""
        return self._waited + (time.monotonic() - self._since if self._waiting else 0.0)

    @property
    def last_by_key(self) -> dict[str, Attempt]:
        """The last attempt of each call."""
        return {attempt.key: attempt for attempt in self.attempts}

    @property
    def budget_reached(self) -> bool:
        """Whether a call was not sent because a cap was reached."""
        return any(a.failure_kind is FailureKind.budget for a in self.attempts)

    @property
    def worst_failure(self) -> Attempt | None:
        """The last attempt of the last call that ended without a value."""
        failed = [a for a in self.last_by_key.values() if a.failure_kind is not None]
        return failed[-1] if failed else None

    @property
    def kept_out(self) -> Attempt | None:
        """The last attempt of the last call that failed for a reason outside of the prompt."""
        failed = [a for a in self.last_by_key.values() if a.failure_kind is not None]
        outside = [a for a in failed if is_tried_again(a.failure_kind, a.failure_message or "")]
        return outside[-1] if outside else None

    def row(self) -> dict[str, Any]:
        """Return the part of the cell's row that is about its calls.

        A sum is None if one of its terms is unknown.
        """
        calls = self.last_by_key.values()
        succeeded = sum(a.failure_kind is None for a in calls)
        return {
            "calls_succeeded": succeeded,
            "calls": len(calls),
            "attempts": len(self.attempts),
            "replayed": self.replayed,
            "partial": succeeded < len(calls) or any(a.status == "partial" for a in calls),
            "mended": sorted({mend for a in calls for mend in a.mended}),
            "fallback": any(a.fallback and a.failure_kind is None for a in calls),
            "input_tokens": _sum(a.input_tokens for a in self.attempts),
            "output_tokens": _sum(a.output_tokens for a in self.attempts),
            "thinking_tokens": sum(a.thinking_tokens or 0 for a in self.attempts),
            "cost_usd": _sum(a.cost for a in self.attempts),
            "queued_seconds": round(self.queued, 3),
            "sources": sorted({a.source for a in self.attempts} - {Source.none}),
        }


def _sum(values: Iterable[float | None]) -> float | None:
    terms = list(values)
    return None if None in terms else sum(v for v in terms if v is not None)
