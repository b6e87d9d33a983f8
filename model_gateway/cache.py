"""Replies kept across runs, so that a demo or a repeated plan costs nothing; never evidence."""

from __future__ import annotations

import json
import logging
import sqlite3
from pathlib import Path

from platformdirs import user_cache_path

from model_gateway.provider import Answer

_LOCKED_SECONDS = 2.0


def default_path() -> Path:
    """Return where the cache of this user lies."""
    return user_cache_path("plumbline") / "replies.sqlite"


class Cache:
    """Answers by request digest in one SQLite file that several processes may share.

    It only saves money, so nothing that is wrong with the file ends a call or a run: the first
    problem is logged as a warning, and from then on nothing is kept and nothing found.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, timeout=_LOCKED_SECONDS, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=OFF")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS replies (digest TEXT PRIMARY KEY, answer TEXT)"
            )
        except (OSError, sqlite3.Error) as error:
            self._go_without(error)

    def get(self, digest: str) -> Answer | None:
        """Return the answer kept for `digest`, if there is one that can be read."""
        found = self._rows("SELECT answer FROM replies WHERE digest = ?", digest)
        try:
            return Answer(**json.loads(found[0][0])) if found else None
        except (ValueError, TypeError):
            # Another version wrote it; this one may keep its own.
            self._rows("DELETE FROM replies WHERE digest = ?", digest)
            return None

    def put(self, digest: str, answer: Answer) -> None:
        """Keep `answer`; the first one kept for a digest stays."""
        kept = json.dumps(vars(answer))
        self._rows("INSERT OR IGNORE INTO replies VALUES (?, ?)", digest, kept)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _rows(self, statement: str, *values: str) -> list[tuple[str]]:
        if self._db is None:
            return []
        try:
            return self._db.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            self._go_without(error)
            return []

    def _go_without(self, error: Exception) -> None:
        logging.getLogger(__name__).warning(
            "Going on without the cache %s: %s. If this comes again, delete the file.",
            self._path, error,
        )  # fmt: skip
        self.close()
