"""What programs with models of their own were asked, said and spent, so that a resume knows it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from model_gateway.attempt import digest_of
from model_gateway.jsonl import Appender, Row, read_rows
from model_gateway.ledger import Ledger, Reservation, Spend

BEGUN, ENDED = "begun", "ended"


class ProgramJournal:
    """A file of JSON lines: one row before a program is started, and one after it has ended.

    `identity` says what a program is asked; what it answered to the same is not asked again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def reserve(
        self, ledger: Ledger, worst: Spend, identity: Mapping[str, Any]
    ) -> Reservation:
        """Hold room for what a program may spend, and write that down before it is started.

        Raises:
            BudgetReached: there is no room.
            OSError: it cannot be written; then nothing is held.
        """

        def log(_: Row) -> None:
            self._append({BEGUN: dict(identity), **asdict(worst)})

        return await ledger.reserve(worst, log=log)

    async def settle(
        self,
        ledger: Ledger,
        held: Reservation,
        identity: Mapping[str, Any],
        *,
        spent: Spend | None,
        said: str | None,
    ) -> None:
        """Write down what a program came to, unknown spend in full, and its answer if it is one."""
        known = held.worst if spent is None else spent
        try:
            self._append({ENDED: dict(identity), **asdict(known), "said": said})
        finally:
            await ledger.settle(held, known)

    def said(self, identity: Mapping[str, Any]) -> str | None:
        """Return what was answered to the same before, or None."""
        known = [r["said"] for r in read_rows(self._path)[0] if r.get(ENDED) == dict(identity)]
        return next((said for said in reversed(known) if said is not None), None)

    def _append(self, row: Row) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with Appender(self._path) as file:
            file.append(row, sync=True)


def spent_on_programs(path: Path) -> Spend:
    """Return what a journal's programs spent; one that nobody saw end counts in full."""
    total = Spend()
    open_ones: defaultdict[str, list[Spend]] = defaultdict(list)
    for row in read_rows(path)[0]:
        spend = Spend(calls=row["calls"], tokens=row["tokens"], dollars=row["dollars"])
        if BEGUN in row:
            open_ones[digest_of(row[BEGUN])].append(spend)
            continue
        total += spend
        begun = open_ones[digest_of(row[ENDED])]
        if begun:
            begun.pop()
    return sum((one for own in open_ones.values() for one in own), total)
