"""The budget: each attempt reserves its worst case before it is sent, and settles afterwards."""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from model_gateway.attempt import Attempt, digest_of
from model_gateway.call import FailureKind, Source
from model_gateway.config import Model
from model_gateway.counts import counted
from model_gateway.errors import BudgetReached, ConfigError
from model_gateway.jsonl import Row

Log = Callable[[Row], None]
RESERVED, SETTLED = "reserved", "settled"
_ROUNDING = 1e-9


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
    """The amount reserved for one attempt until it is settled; an empty `model` is a program."""

    worst: Spend
    model: str = ""


def refuse_unpriced(caps: Caps, models: Iterable[Model]) -> None:
    """Refuse a cap on dollars where a model has no price, before anything is sent.

    Raises:
        ConfigError: the cap cannot be kept for a model.
    """
    unpriced = dict.fromkeys(model.name for model in models if model.price is None)
    if caps.dollars is not None and unpriced:
        raise ConfigError(
            f"A cap on cost (--max-cost, PLUMBLINE_MAX_COST) cannot be kept for "
            f"{', '.join(unpriced)}: no price is known. Add [price] to the model's file, or cap "
            "calls and tokens instead."
        )


class Ledger:
    """Counts what was spent and what is reserved, and keeps their sum within the caps.

    `spent` is what earlier sessions of the same work spent, so that a cap holds over all of
    them. A reservation is logged before its attempt is sent: if the process dies, the next
    session charges it in full, because the attempt's cost is unknown.

    `reached` says what keeps calls from being sent. Where a cap is set, a model whose server bills
    more than was reserved is in `stopped`, with the reason, and gets no further call.
    """

    def __init__(self, caps: Caps | None = None, *, spent: Spend | None = None) -> None:
        self.caps = caps or Caps()
        self.spent = spent or Spend()
        self.reserved = Spend()
        self.reached: str | None = None
        self.stopped: dict[str, str] = {}
        self._freed = asyncio.Condition()

    @property
    def reason(self) -> str | None:
        """What keeps calls from being sent: a reached cap, and every model that was stopped."""
        reasons = [*self.stopped.values(), *([self.reached] if self.reached else [])]
        return "; ".join(dict.fromkeys(reasons)) or None

    async def reserve(
        self,
        worst: Spend,
        *,
        log: Log | None = None,
        model: str = "",
        priced: bool = True,
        **identity: Any,
    ) -> Reservation:
        """Reserve `worst`, waiting for unfinished attempts to settle if that could help.

        `model` is recorded with `identity`; it is not `priced` if its dollars are unknown.

        Raises:
            BudgetReached: a cap leaves no room, whatever unfinished attempts cost in the end; it
                is one on dollars, and there is no price; or the model was stopped.
            OSError: the reservation could not be logged; then nothing is reserved.
        """
        async with self._freed:
            while True:
                self._refuse(model, priced=priced)
                over = self.caps.exceeded_by(self.spent + self.reserved + worst)
                if over is None:
                    break
                alone = self.caps.exceeded_by(self.spent + worst)
                if alone is not None or self.reserved.calls == 0:
                    self.reached = f"{alone or over} was reached"
                    raise BudgetReached(
                        f"{alone or over} leaves no room for this call's worst case of "
                        f"{worst.tokens} tokens and {worst.dollars:.4f} dollars; raise the cap and "
                        "repeat the command"
                    )
                await self._freed.wait()
            if log is not None:
                named = {**identity, "model": model} if model else identity
                log({RESERVED: named, "tokens": worst.tokens, "dollars": worst.dollars})
            self.reserved += worst
        return Reservation(worst=worst, model=model)

    def _refuse(self, model: str, *, priced: bool) -> None:
        if self.caps.dollars is not None and not priced:
            self.reached = f"the cap on US dollars cannot be kept for {model}, which has no price"
            raise BudgetReached(f"{self.reached}; add [price] to its file")
        if model in self.stopped:
            self.reached = self.reached or self.stopped[model]
            raise BudgetReached(self.stopped[model])

    async def settle(self, reservation: Reservation, actual: Spend | None) -> None:
        """Replace a reservation by the actual spend; unknown spend is charged in full."""
        async with self._freed:
            self.reserved -= reservation.worst
            if self.reserved.calls == 0:
                self.reserved = Spend()  # removes rounding errors of the dollars
            self.spent += reservation.worst if actual is None else actual
            if actual is not None:
                self._compare(reservation, actual)
            self._freed.notify_all()

    def _compare(self, reservation: Reservation, actual: Spend) -> None:
        """Stop a model whose server billed more than the worst case, if a cap depends on that."""
        worst, over = reservation.worst, ""
        if self.caps.tokens is not None and actual.tokens > worst.tokens:
            over = f"{actual.tokens} tokens for a call that may have {worst.tokens} at most"
        elif self.caps.dollars is not None and actual.dollars > worst.dollars + _ROUNDING:
            over = f"{actual.dollars:.4f} dollars for a call that may cost {worst.dollars:.4f}"
        if over and reservation.model:
            reason = (
                f"{reservation.model} was stopped, because its server billed {over}; "
                "thinking_tokens in its entry reserves more for hidden reasoning, and [price] "
                "for what the server charges beside"
            )
            self.stopped.setdefault(reservation.model, reason)


def spent_before(reservations: Iterable[Row], attempts: Iterable[Attempt]) -> Spend:
    """Return what earlier sessions spent, from their logged reservations and their attempts.

    The end of a ping, which is in no list of attempts, is logged with its reservation.
    An attempt whose spend is unknown, and a reservation whose attempt was never recorded because
    the session died, count in full. Attempts that were never sent have no reservation.
    """
    actual: defaultdict[str, deque[Spend | None]] = defaultdict(deque)
    for attempt in attempts:
        if _was_sent(attempt):
            actual[digest_of(_identity(attempt))].append(known_spend(attempt))
    reserved: list[tuple[str, Spend]] = []
    for row in reservations:
        spend = _spend_in(row)
        if spend is None:
            continue  # It was damaged; nothing of ours looks like that.
        if SETTLED in row:
            actual[digest_of(row[SETTLED])].append(spend)
        elif RESERVED in row:
            reserved.append((digest_of(row[RESERVED]), spend))
    total = Spend()
    for digest, worst in reserved:
        spends = actual.get(digest)
        total += (spends.popleft() if spends else None) or worst
    return total


def _spend_in(row: Row) -> Spend | None:
    try:
        tokens, dollars = int(row["tokens"]), float(row["dollars"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    sensible = tokens >= 0 and 0 <= dollars < math.inf
    return Spend(calls=1, tokens=tokens, dollars=dollars) if sensible else None


def _identity(attempt: Attempt) -> dict[str, Any]:
    return {
        "cell": attempt.cell,
        "key": attempt.key,
        "repeat": attempt.repeat,
        "number": attempt.number,
        "model": attempt.model,
    }


def _was_sent(attempt: Attempt) -> bool:
    if attempt.source in {Source.cache, Source.none}:
        return False
    if attempt.failure_kind is FailureKind.budget:
        return False
    # A missing key took no time; a server that refused one did.
    return attempt.failure_kind is not FailureKind.configuration or attempt.seconds > 0


def known_spend(attempt: Attempt) -> Spend | None:
    """Return what a sent attempt cost, or None if its reservation stands."""
    if attempt.input_tokens is not None and attempt.output_tokens is not None:
        tokens = attempt.input_tokens + attempt.output_tokens
        return Spend(calls=1, tokens=tokens, dollars=attempt.cost or 0.0)
    return Spend(calls=1) if attempt.cost == 0.0 else None
