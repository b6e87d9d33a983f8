"""The pings of a command: in a file before they are sent, so that a killed one is charged, too."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.jsonl import Appender, Row, read_rows
from model_gateway.ledger import RESERVED, SETTLED, Spend, known_spend, spent_before


class PingJournal:
    """A file of reservations of pings, and of their ends. Its rows go into a run's reservations."""

    def __init__(self, path: Path, *, seed: int = 0) -> None:
        self.path = path
        self._seed = seed

    def rows(self) -> list[Row]:
        """Return the rows of this and of killed sessions.

        Raises:
            OSError: the file cannot be read.
        """
        return read_rows(self.path)[0]

    def spent(self) -> Spend:
        """Return what the pings cost that are in no run's records yet."""
        return spent_before(self.rows(), [])

    def forget(self) -> None:
        """Remove the file, after its rows were recorded elsewhere."""
        self.path.unlink(missing_ok=True)

    def begin(self) -> Ping:
        """Return what records one ping."""
        return Ping(self.path, self._seed)


class Ping:
    """Records one ping: its reservation before it is sent, and what it cost if that is known."""

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._seed = seed
        self._identity: dict[str, Any] | None = None

    def log(self, row: Row) -> None:
        """Record the reservation.

        Raises:
            OSError: the data repo cannot be written; then the ping is not sent.
        """
        at = datetime.now(UTC).isoformat()
        self._identity = {**row[RESERVED], "at": at, "seed": self._seed}
        self._append({**row, RESERVED: self._identity})

    def attempted(self, attempt: Attempt, *, replayed: bool) -> None:  # noqa: ARG002
        """Record the cost; where the server reports none, the reservation stands."""
        spend = known_spend(attempt)
        if self._identity is not None and spend is not None:
            row = {"tokens": spend.tokens, "dollars": spend.dollars}
            self._append({SETTLED: self._identity, **row})

    def waiting(self, *, now: bool) -> None:
        """Take no note of it."""

    def _append(self, row: Row) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with Appender(self._path) as file:
            file.append(row, sync=True)
