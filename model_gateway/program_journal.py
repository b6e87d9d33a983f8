"""Records what programs with their own models were asked, answered and spent, for a resume."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.jsonl import Appender, Row, read_rows
from model_gateway.ledger import Ledger, Reservation, Spend
from model_gateway.visible import sound

BEGUN, ENDED = "begun", "ended"


class ProgramJournal:
    """A file of JSON lines: one row before a program is started, and one after it has ended.

    `identity` identifies a question to a program; an answered one is not asked again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def reserve(
        self, ledger: Ledger, worst: Spend, identity: Mapping[str, Any]
    ) -> Reservation:
        """Reserve what a program may spend, and record that before it is started.

        Raises:
            BudgetReached: a cap leaves no room.
            OSError: it cannot be written; then nothing is reserved.
        """

        def log(_: Row) -> None:
            self._append({BEGUN: dict(identity), **asdict(worst)})

        return await ledger.reserve(worst, log=log)

    async def settle(
        self,
        ledger: Ledger,
        reservation: Reservation,
        identity: Mapping[str, Any],
        *,
        spent: Spend | None,
        answer: str | None,
    ) -> None:
        """Record what a program spent (unknown spend in full) and its answer, if it gave one."""
        charged = reservation.worst if spent is None else spent
        try:
            self._append({ENDED: dict(identity), **asdict(charged), "said": answer})
        finally:
            await ledger.settle(reservation, charged)

    def answer(self, identity: Mapping[str, Any]) -> str | None:
        """Return the recorded answer to the same question, or None."""
        rows = [row for row in read_rows(self._path)[0] if row.get(ENDED) == dict(identity)]
        answers = (row.get("said") for row in reversed(rows))
        return next((sound(answer) for answer in answers if isinstance(answer, str)), None)

    def _append(self, row: Row) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with Appender(self._path) as file:
            file.append(row, sync=True)


def spent_on_programs(path: Path) -> Spend:
    """Return what a journal's programs spent; one without a recorded end counts in full."""
    total = Spend()
    unfinished: defaultdict[str, list[Spend]] = defaultdict(list)
    for row in read_rows(path)[0]:
        spend = _spend_in(row)
        if spend is None:
            continue  # It was damaged; nothing of ours looks like that.
        if BEGUN in row:
            unfinished[digest_of(row[BEGUN])].append(spend)
            continue
        total += spend
        begun = unfinished[digest_of(row.get(ENDED))]
        if begun:
            begun.pop()
    return sum(chain.from_iterable(unfinished.values()), total)


def _spend_in(row: Row) -> Spend | None:
    calls, tokens, dollars = (row.get(name) for name in ("calls", "tokens", "dollars"))
    if not (
        isinstance(calls, int) and isinstance(tokens, int) and isinstance(dollars, int | float)
    ):
        return None
    sensible = calls >= 0 and tokens >= 0 and 0 <= dollars < math.inf
    return Spend(calls=calls, tokens=tokens, dollars=dollars) if sensible else None
