"""Measurements that were made before, so that unchanged cells are measured once.

It lies in the user's cache directory, never in history, and holds nothing that cannot be made
again: whatever is wrong with it, what is not found there is measured. Its keys are digests of a
cell's content, of what the rubric measures, and of the code that measures.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
import zlib
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from platformdirs import user_cache_path

import model_gateway
from rubrics import rubric as rubric_module
from self_improve import records


@cache
def code_digest() -> str:
    """Return the SHA-256 of the code whose change may change a measure."""
    folders = (Path(__file__).parent, Path(next(iter(records.__path__))))
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    files += [Path(str(rubric_module.__file__))]
    files += [Path(next(iter(model_gateway.__path__))) / "replies.py"]
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()


_LOCKED_SECONDS = 2.0
_MOST_BYTES = 512_000_000


def default_path() -> Path:
    """Return where the store of this user lies."""
    return user_cache_path("plumbline") / "measures.sqlite"


class Store:
    """JSON values by key in one SQLite file that several processes may share.

    Each value carries a checksum; one that does not fit is as good as none. A file that is broken
    is begun anew, once; after a second problem nothing is kept and nothing found.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._open(first=True)

    def get(self, key: str) -> Any:
        """Return the value kept for `key`, or None."""
        rows = self._rows("SELECT value, checksum FROM measures WHERE key = ?", key)
        if not rows:
            return None
        value, checksum = rows[0]
        try:
            if zlib.crc32(value.encode()) != checksum:
                return None
            return json.loads(value)
        except (ValueError, TypeError, AttributeError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep `value`; it takes the place of an earlier one."""
        text = json.dumps(value)
        checksum = zlib.crc32(text.encode())
        self._rows("INSERT OR REPLACE INTO measures VALUES (?, ?, ?)", key, text, checksum)

    def close(self) -> None:
        """Write what is waiting and close the file; a second call does nothing."""
        if self._db is None:
            return
        try:
            self._db.close()
        except sqlite3.Error as error:
            self._warn(error)
        self._db = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _open(self, *, first: bool) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.stat().st_size > _MOST_BYTES:
                self._delete()
            db = sqlite3.connect(self._path, timeout=_LOCKED_SECONDS, isolation_level=None)
            self._db = db
            db.execute("PRAGMA journal_mode=WAL")
            db.execute("PRAGMA synchronous=OFF")
            db.execute(
                "CREATE TABLE IF NOT EXISTS measures "
                "(key TEXT PRIMARY KEY, value TEXT, checksum INTEGER) WITHOUT ROWID"
            )
        except (OSError, sqlite3.Error) as error:
            self._give_up(error, first=first)

    def _rows(self, statement: str, *values: str | int) -> list[tuple[Any, ...]]:
        if self._db is None:
            return []
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.OperationalError as error:
            # Locked for long, a full disk, no right to write: the file itself is sound.
            self._give_up(error, first=False)
        except sqlite3.Error as error:
            self._give_up(error, first=True)
        return []

    def _give_up(self, error: Exception, *, first: bool) -> None:
        self.close()
        if first and isinstance(error, sqlite3.DatabaseError):
            self._delete()
            self._open(first=False)
            return
        self._warn(error)

    def _delete(self) -> None:
        for end in ("", "-wal", "-shm"):
            self._path.with_name(self._path.name + end).unlink(missing_ok=True)

    def _warn(self, error: Exception) -> None:
        logging.getLogger(__name__).warning(
            "Measuring without the store %s: %s. If this comes again, delete the file.",
            self._path, error,
        )  # fmt: skip
