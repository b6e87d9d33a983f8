"""The finished attempts of one run, so that re-running a killed cell repeats no paid call."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from model_gateway.attempt import Attempt
from model_gateway.blame import FAILURES, Blame
from model_gateway.call import FailureKind
from model_gateway.jsonl import SyncedAppender, read_rows


class Journal(Protocol):
    """Stores finished attempts, and replays them when a cell runs again."""

    def begin(self, cell: str, repeat: int) -> None:
        """Note that a cell starts, perhaps again: then its recorded replies are replayed."""
        ...

    def take(self, digest: str) -> Attempt | None:
        """Return the next replied attempt with this request digest, once."""
        ...

    async def append(self, attempt: Attempt) -> None:
        """Return when `attempt` is stored."""
        ...


_NO_REPLY = {
    FailureKind.configuration,
    *(kind for kind in FailureKind if FAILURES[kind].whose is Blame.world),
}
"""Failures of the circumstances, which may be fixed before the cell runs again."""


def replayable(attempt: Attempt) -> bool:
    """Whether an attempt ended with a reply, good or bad, that can be used again."""
    return attempt.status != "cancelled" and attempt.failure_kind not in _NO_REPLY


def read_attempts(path: Path) -> list[Attempt]:
    """Return the attempts of an `attempts.jsonl`; unreadable rows are skipped."""
    attempts = []
    for row in read_rows(path)[0]:
        try:
            attempts.append(Attempt.from_row(row))
        except (LookupError, TypeError, ValueError):
            continue
    return attempts


def _by_request(attempts: Iterable[Attempt]) -> dict[str, deque[Attempt]]:
    rows: defaultdict[str, deque[Attempt]] = defaultdict(deque)
    for attempt in attempts:
        if replayable(attempt):
            rows[attempt.request_digest].append(attempt)
    return dict(rows)


class FileJournal:
    """The journal of a run: `attempts.jsonl`, one synced line per finished attempt.

    Rows of `finished` cells, given as (cell, repeat), are not replayed. The replies of a cell that
    runs again while the journal is open are read again from the file.
    """

    def __init__(self, path: Path, *, finished: Iterable[tuple[str, int]] = ()) -> None:
        finished = set(finished)
        self._path = path
        self._rows = _by_request(
            a for a in read_attempts(path) if (a.cell, a.repeat) not in finished
        )
        self._used: set[tuple[str, int]] = set()
        self._appender = SyncedAppender(path)

    def begin(self, cell: str, repeat: int) -> None:
        """Read the recorded replies of the cell again, if it has run before."""
        if (cell, repeat) not in self._used:
            return
        self._used.discard((cell, repeat))
        again = (a for a in read_attempts(self._path) if (a.cell, a.repeat) == (cell, repeat))
        self._rows.update(_by_request(again))

    def take(self, digest: str) -> Attempt | None:
        """Return the next replied attempt with this request digest, once, as it was recorded."""
        rows = self._rows.get(digest)
        if not rows:
            return None
        attempt = rows.popleft()
        self._used.add((attempt.cell, attempt.repeat))
        return attempt

    async def append(self, attempt: Attempt) -> None:
        """Return when `attempt` is on the disk."""
        self._used.add((attempt.cell, attempt.repeat))
        await self._appender.append(attempt.to_row())

    async def close(self) -> None:
        """Close the file after writing what is queued."""
        await self._appender.close()


class NoJournal:
    """Stores nothing; for calls such as a preflight ping."""

    def begin(self, cell: str, repeat: int) -> None:
        """Do nothing."""

    def take(self, digest: str) -> Attempt | None:  # noqa: ARG002 - the Protocol's signature
        """Return nothing."""
        return None

    async def append(self, attempt: Attempt) -> None:
        """Do nothing."""
