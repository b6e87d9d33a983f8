"""The budget: each attempt reserves its worst case before it is sent, and settles afterwards."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from model_gateway.attempt import Attempt, digest_of
from model_gateway.call import FailureKind, Source
from model_gateway.counts import counted
from model_gateway.errors import BudgetReached
from model_gateway.jsonl import Row

Log = Callable[[Row], None]


@dataclass(frozen=True, kw_only=True)
class Spend:
    """Calls, tokens (input and output together) and US dollars."""

    calls: int = 0
    tokens: int = 0
    dollars: float = 0.0

    def __add__(self, other: Spend) -> Spend:
        return Spend(
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
            dollars=self.dollars + other.dollars,
        )

    def __sub__(self, other: Spend) -> Spend:
        return self + Spend(calls=-other.calls, tokens=-other.tokens, dollars=-other.dollars)


@dataclass(frozen=True, kw_only=True)
class Caps:
    """The limits of one command; None means no limit."""

    calls: int | None = None
    tokens: int | None = None
    dollars: float | None = None

    def exceeded_by(self, spend: Spend) -> str | None:
        """Name the cap that `spend` would exceed, or return None."""
        if self.calls is not None and spend.calls > self.calls:
            return f"the cap of {counted(self.calls, 'call')}"
        if self.tokens is not None and spend.tokens > self.tokens:
            return f"the cap of {counted(self.tokens, 'token')}"
        if self.dollars is not None and spend.dollars > self.dollars:
            return f"the cap of {self.dollars:g} US dollars"
        return None


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """The amount reserved for one attempt until it is settled."""

    worst: Spend


class Ledger:
    """Counts what was spent and what is reserved, and keeps their sum within the caps.

    `spent` is what earlier sessions of the same work spent, so that a cap holds over all of
    them. A reservation is logged before its attempt is sent: if the process dies, the next
    session charges it in full, because the attempt's cost is unknown.
    """

    def __init__(self, caps: Caps | None = None, *, spent: Spend | None = None) -> None:
        self.caps = caps or Caps()
        self.spent = spent or Spend()
        self.reserved = Spend()
        self.reached: str | None = None
        self._freed = asyncio.Condition()

    async def reserve(
        self, worst: Spend, *, log: Log | None = None, **identity: Any
    ) -> Reservation:
        """Reserve `worst`, waiting for unfinished attempts to settle if that could help.

        Raises:
            BudgetReached: a cap leaves no room, whatever unfinished attempts cost in the end.
            OSError: the reservation could not be logged; then nothing is reserved.
        """
        async with self._freed:
            while True:
                over = self.caps.exceeded_by(self.spent + self.reserved + worst)
                if over is None:
                    break
                alone = self.caps.exceeded_by(self.spent + worst)
                if alone is not None or self.reserved.calls == 0:
                    self.reached = alone or over
                    raise BudgetReached(
                        f"{self.reached} leaves no room for this call's worst case of "
                        f"{worst.tokens} tokens and {worst.dollars:.4f} dollars; raise the cap and "
                        "repeat the command"
                    )
                await self._freed.wait()
            if log is not None:
                log({"reserved": identity, "tokens": worst.tokens, "dollars": worst.dollars})
            self.reserved += worst
        return Reservation(worst=worst)

    async def settle(self, reservation: Reservation, actual: Spend | None) -> None:
        """Replace a reservation by the actual spend; unknown spend is charged in full."""
        async with self._freed:
            self.reserved -= reservation.worst
            if self.reserved.calls == 0:
                self.reserved = Spend()  # removes rounding errors of the dollars
            self.spent += reservation.worst if actual is None else actual
            self._freed.notify_all()


def spent_before(reservations: Iterable[Row], attempts: Iterable[Attempt]) -> Spend:
    """Return what earlier sessions spent, from their logged reservations and their attempts.

    An attempt whose spend is unknown, and a reservation whose attempt was never recorded because
    the session died, count in full. Attempts that were never sent have no reservation.
    """
    actual: defaultdict[str, deque[Spend | None]] = defaultdict(deque)
    for attempt in attempts:
        if _was_sent(attempt):
            actual[digest_of(_identity(attempt))].append(_known_spend(attempt))
    total = Spend()
    for row in reservations:
        worst = Spend(calls=1, tokens=int(row["tokens"]), dollars=float(row["dollars"]))
        spends = actual.get(digest_of(row["reserved"]))
        total += (spends.popleft() if spends else None) or worst
    return total


def _identity(attempt: Attempt) -> dict[str, Any]:
    return {
        "cell": attempt.cell,
        "key": attempt.key,
        "repeat": attempt.repeat,
        "number": attempt.number,
        "model": attempt.model,
    }


def _was_sent(attempt: Attempt) -> bool:
    if attempt.source is Source.cache or attempt.failure_kind is FailureKind.budget:
        return False
    # A missing key took no time; a server that refused one did.
    return attempt.failure_kind is not FailureKind.configuration or attempt.seconds > 0


def _known_spend(attempt: Attempt) -> Spend | None:
    if attempt.input_tokens is not None and attempt.output_tokens is not None:
        tokens = attempt.input_tokens + attempt.output_tokens
        return Spend(calls=1, tokens=tokens, dollars=attempt.cost or 0.0)
    return Spend(calls=1) if attempt.cost == 0.0 else None
