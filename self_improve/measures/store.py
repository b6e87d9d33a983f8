"""Measurements that were made before, so that unchanged cells are measured once.

The store is in the user's cache directory, never in history, and holds nothing that cannot be
made again: what it does not return is measured. Its keys are digests of a cell's content, of what
the rubric measures, and of the code that measures.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

import model_gateway
from model_gateway.shared_table import SharedTable
from rubrics import rubric
from self_improve import records

_MOST_BYTES = 512_000_000
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS measures "
    "(key TEXT PRIMARY KEY, value TEXT, checksum INTEGER) WITHOUT ROWID"
)


def default_path() -> Path:
    """Return where the store of this user is."""
    return user_cache_path("plumbline") / "measures.sqlite"


@cache
def code_digest() -> str:
    """Return the SHA-256 of the code whose change may change a measure."""
    folders = (Path(__file__).parent, Path(next(iter(records.__path__))))
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    files += [Path(str(rubric.__file__))]
    files += [Path(next(iter(model_gateway.__path__))) / "replies.py"]
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.name}\0".encode() + file.read_bytes() + b"\0")
    return total.hexdigest()


class Store(SharedTable):
    """JSON values by key, each with a checksum: a value that does not fit it is not returned."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, _SCHEMA, name="store of measurements", most_bytes=_MOST_BYTES)

    def get(self, key: str) -> Any:
        """Return the value kept for `key`, or None."""
        rows = self.rows("SELECT value, checksum FROM measures WHERE key = ?", key)
        try:
            value, checksum = rows[0]
            return json.loads(value) if zlib.crc32(value.encode()) == checksum else None
        except (LookupError, ValueError, TypeError, AttributeError):
            return None

    def put(self, key: str, value: Any) -> None:
        """Keep `value`; it takes the place of an earlier one."""
        text = json.dumps(value)
        checksum = zlib.crc32(text.encode())
        self.rows("INSERT OR REPLACE INTO measures VALUES (?, ?, ?)", key, text, checksum)
