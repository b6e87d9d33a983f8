"""Replies kept across runs, so that a demo or a repeated plan costs nothing; never evidence."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from model_gateway.attempt import read
from model_gateway.provider import Answer
from model_gateway.shared_table import SharedTable

_SCHEMA = "CREATE TABLE IF NOT EXISTS replies (digest TEXT PRIMARY KEY, answer TEXT)"


def default_path() -> Path:
    """Return the path of this user's cache."""
    return user_cache_path("plumbline") / "replies.sqlite"


class Cache(SharedTable):
    """Answers by request digest."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA, name="cache of replies")

    def get(self, digest: str) -> Answer | None:
        """Return the answer kept for `digest`, if there is one that can be read."""
        rows = self.rows("SELECT answer FROM replies WHERE digest = ?", digest)
        try:
            return _answer(json.loads(rows[0][0])) if rows else None
        except (ValueError, TypeError, KeyError, RecursionError):
            # Another version wrote it, or it is broken; the model is asked again.
            self.rows("DELETE FROM replies WHERE digest = ?", digest)
            return None

    def put(self, digest: str, answer: Answer) -> None:
        """Keep `answer`; the first one kept for a digest stays."""
        text = json.dumps(vars(answer))
        self.rows("INSERT OR IGNORE INTO replies VALUES (?, ?)", digest, text)


def _answer(row: Any) -> Answer:
    """Return an answer whose fields hold what those of ours can hold.

    Raises:
        ValueError, TypeError, KeyError: they do not.
    """
    if not isinstance(row, dict):
        raise TypeError("it is not an object")
    names = {field.name: field.name for field in fields(Answer)} | {"model_id": "reported_model"}
    return Answer(**{name: read(names[name], value) for name, value in row.items()})
