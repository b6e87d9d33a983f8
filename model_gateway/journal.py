"""The finished attempts of one run, so that re-running a killed cell repeats no paid call."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from model_gateway.attempt import Attempt
from model_gateway.call import FailureKind
from model_gateway.jsonl import SyncedAppender, read_rows


class Journal(Protocol):
    """Where attempts go when they are finished, and come from when a cell runs again."""

    def take(self, digest: str) -> Attempt | None:
        """Return the next replied attempt with this request digest, once."""
        ...

    async def append(self, attempt: Attempt) -> None:
        """Return when `attempt` is safe."""
        ...


_NO_REPLY = {
    FailureKind.timeout,
    FailureKind.rate_limit,
    FailureKind.server,
    FailureKind.connection,
    FailureKind.configuration,
    FailureKind.budget,
}
"""What lies in the circumstances, which may have been mended before the cell runs again."""


def replayable(attempt: Attempt) -> bool:
    """Whether an attempt ended with a reply, good or bad, that need not be paid for again."""
    return attempt.status != "cancelled" and attempt.failure_kind not in _NO_REPLY


def read_attempts(path: Path) -> list[Attempt]:
    """Return the attempts of an `attempts.jsonl`; rows that cannot be read are passed over."""
    attempts = []
    for row in read_rows(path)[0]:
        try:
            attempts.append(Attempt.from_row(row))
        except (KeyError, ValueError):
            continue
    return attempts


class FileJournal:
    """The journal of a run: `attempts.jsonl`, one synced line per finished attempt.

    Rows of `finished` cells, given as (cell, repeat), are not kept for replay.
    """

    def __init__(self, path: Path, *, finished: Iterable[tuple[str, int]] = ()) -> None:
        done = set(finished)
        self._rows: defaultdict[str, deque[Attempt]] = defaultdict(deque)
        for attempt in read_attempts(path):
            if replayable(attempt) and (attempt.cell, attempt.repeat) not in done:
                self._rows[attempt.request_digest].append(attempt)
        self._appender = SyncedAppender(path)

    def take(self, digest: str) -> Attempt | None:
        """Return the next replied attempt with this request digest, once, as it was recorded."""
        rows = self._rows.get(digest)
        return rows.popleft() if rows else None

    async def append(self, attempt: Attempt) -> None:
        """Return when `attempt` is on the disk."""
        await self._appender.append(attempt.to_row())

    async def close(self) -> None:
        """Close the file after writing what is waiting."""
        await self._appender.close()


class NoJournal:
    """Keeps nothing; for quick looks such as a preflight ping."""

    def take(self, digest: str) -> Attempt | None:  # noqa: ARG002 - the Protocol's signature
        """Return nothing."""
        return None

    async def append(self, attempt: Attempt) -> None:
        """Do nothing."""
