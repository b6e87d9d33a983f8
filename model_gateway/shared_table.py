"""A table in a SQLite file that several processes share, and that everybody can do without."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_LOCKED_SECONDS = 2.0


class SharedTable:
    """One table that only saves money or time, so nothing that is wrong with it raises an error.

    The first problem is logged as a warning with `name`; from then on nothing is stored, and no
    rows are returned. With `most_bytes` the file holds only what can be made again: it is deleted
    when it is larger, and once when it is broken.
    """

    def __init__(
        self, path: Path, schema: str, *, name: str, most_bytes: int | None = None
    ) -> None:
        self._path = path
        self._schema = schema
        self._name = name
        self._replaceable = most_bytes is not None
        self._connection: sqlite3.Connection | None = None
        self._open(most_bytes)

    def rows(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        """Execute a statement and return its rows."""
        if self._connection is None:
            return []
        try:
            return self._connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self._give_up(error)
            return []

    def close(self) -> None:
        """Write what is waiting and close the file; a second call does nothing."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except sqlite3.Error as error:
                self._warn(error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, most_bytes: int | None) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if most_bytes and self._path.exists() and self._path.stat().st_size > most_bytes:
                self._delete()
            connection = sqlite3.connect(self._path, timeout=_LOCKED_SECONDS, isolation_level=None)
            self._connection = connection
            for statement in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=OFF", self._schema):
                connection.execute(statement)
        except (OSError, sqlite3.Error) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.close()
        # Locked for long, a full disk, no right to write: then the file itself is sound.
        sound = isinstance(error, OSError | sqlite3.OperationalError)
        if self._replaceable and not sound:
            self._replaceable = False
            self._delete()
            self._open(None)
        else:
            self._warn(error)

    def _delete(self) -> None:
        for end in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def _warn(self, error: Exception) -> None:
        logging.getLogger(__name__).warning(
            "Going on without the %s %s: %s. If this happens again, delete the file.",
            self._name, self._path, error,
        )  # fmt: skip
