"""What one cell has asked and what it cost, kept up to date attempt by attempt."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind

USAGE, OVERVIEW = "usage_metrics.jsonl", "activity_overview.json"


@dataclass(kw_only=True)
class Account:
    """The attempts of a cell, as an observer of the gateway hears them.

    Of a replayed attempt the record says where it came from first.
    """

    attempts: list[Attempt] = field(default_factory=list)
    replayed: int = 0
    changed: Callable[[Attempt, bool], None] | None = None
    _waiting: int = 0
    _since: float = 0.0
    _waited: float = 0.0

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:
        """Take note of an attempt."""
        self.attempts.append(attempt)
        self.replayed += replayed
        if self.changed is not None:
            self.changed(attempt, replayed)

    def waiting(self, *, now: bool) -> None:
        """Take note that a call begins to wait for its turn, or no longer waits."""
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
        """Whether a call was not sent for lack of money."""
        return any(a.failure_kind is FailureKind.budget for a in self.attempts)

    @property
    def worst_failure(self) -> Attempt | None:
        """The last attempt of the last call that ended without a value."""
        failed = [a for a in self.last_by_key.values() if a.failure_kind is not None]
        return failed[-1] if failed else None

    def row(self) -> dict[str, Any]:
        """Return the part of the cell's row that is about its calls.

        A sum is None if one of its parts is unknown.
        """
        calls = self.last_by_key.values()
        succeeded = sum(a.failure_kind is None for a in calls)
        return {
            "calls_succeeded": succeeded,
            "calls": len(calls),
            "attempts": len(self.attempts),
            "replayed": self.replayed,
            "partial": succeeded < len(calls) or any(a.status == "partial" for a in calls),
            "fallback": any(a.fallback and a.failure_kind is None for a in calls),
            "input_tokens": _sum(a.input_tokens for a in self.attempts),
            "output_tokens": _sum(a.output_tokens for a in self.attempts),
            "thinking_tokens": sum(a.thinking_tokens or 0 for a in self.attempts),
            "cost_usd": _sum(a.cost for a in self.attempts),
            "queued_seconds": round(self.queued, 3),
            "sources": sorted({a.source for a in self.attempts}),
        }


def _sum(values: Iterable[float | None]) -> float | None:
    known = list(values)
    return None if None in known else sum(v for v in known if v is not None)


def usage_rows(attempts: Iterable[Attempt]) -> list[dict[str, Any]]:
    """Return `usage_metrics.jsonl` in the form of older records: one row per attempt."""
    rows = []
    for attempt in attempts:
        row: dict[str, Any] = {
            "timestamp": attempt.started,
            "success": attempt.failure_kind is None,
            "model": attempt.reported_model or attempt.model_id,
            "duration_seconds": round(attempt.seconds, 3),
        }
        if attempt.input_tokens is not None:
            row |= {"input_tokens": attempt.input_tokens, "output_tokens": attempt.output_tokens}
        if attempt.cost is not None:
            row["cost_usd"] = attempt.cost
        if attempt.failure_kind is not None:
            row["error"] = str(attempt.failure_kind)
        rows.append(row)
    return rows


def overview(attempts: Iterable[Attempt]) -> dict[str, Any]:
    """Return `activity_overview.json` in the form of older records: totals by model."""
    models: dict[str, dict[str, Any]] = {}
    last = ""
    for attempt in attempts:
        last = max(last, attempt.started)
        name = attempt.reported_model or attempt.model_id
        total = models.setdefault(
            name,
            {"calls": 0, "input_tokens": 0, "output_tokens": 0, "thinking_tokens": 0,
             "total_cost": 0.0, "total_tokens": 0},
        )  # fmt: skip
        used = (attempt.input_tokens or 0) + (attempt.output_tokens or 0)
        total["calls"] += 1
        total["input_tokens"] += attempt.input_tokens or 0
        total["output_tokens"] += attempt.output_tokens or 0
        total["thinking_tokens"] += attempt.thinking_tokens or 0
        total["total_cost"] += attempt.cost or 0.0
        total["total_tokens"] += used
    sums = models.values()
    return {
        "last_updated": last,
        "models": models,
        "total_cost": sum(m["total_cost"] for m in sums),
        "total_input_tokens": sum(m["input_tokens"] for m in sums),
        "total_output_tokens": sum(m["output_tokens"] for m in sums),
        "total_thinking_tokens": sum(m["thinking_tokens"] for m in sums),
        "total_tokens": sum(m["total_tokens"] for m in sums),
    }
