"""Replies kept across runs, so that a demo or a repeated plan costs nothing; never evidence."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

from platformdirs import user_cache_path

from model_gateway.providers.provider import Answer


def default_path() -> Path:
    """Return where the cache of this user lies."""
    return user_cache_path("plumbline") / "replies.sqlite"


class Cache:
    """Answers by request digest in one SQLite file that several processes may share."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=10, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS replies (digest TEXT PRIMARY KEY, answer TEXT)"
        )

    def get(self, digest: str) -> Answer | None:
        """Return the answer kept for `digest`, if there is one."""
        row = self._db.execute("SELECT answer FROM replies WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else Answer(**json.loads(row[0]))

    def put(self, digest: str, answer: Answer) -> None:
        """Keep `answer`; the first one kept for a digest stays."""
        self._db.execute(
            "INSERT OR IGNORE INTO replies VALUES (?, ?)", (digest, json.dumps(vars(answer)))
        )

    def close(self) -> None:
        """Close the file."""
        self._db.close()
