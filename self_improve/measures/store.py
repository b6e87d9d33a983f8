"""Measurements that were made before, so that unchanged cells are measured once.

The store is in the user's cache directory, never in history, and holds nothing that cannot be
made again: what it does not return is measured. Its keys are digests of a cell's content, of what
the rubric measures, and of the code that measures.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import zlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from model_gateway.shared_table import SharedTable

_FOLDERS = ("self_improve/measures", "self_improve/records", "rubrics", "model_gateway/replies")
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
    return folders_digest(_FOLDERS, "*.py")


def folders_digest(folders: Iterable[str], pattern: str = "*") -> str:
    """Return the SHA-256 of the files in folders of packages, with their paths.

    A folder is named `package/path`; so may be a single file.
    """
    total = hashlib.sha256()
    for name in folders:
        package, _, rest = name.partition("/")
        root = Path(str(importlib.resources.files(package)))
        path = root / rest
        files = [path] if path.is_file() else sorted(path.rglob(pattern))
        for file in files:
            if file.is_file() and file.suffix != ".pyc":
                relative = f"{package}/{file.relative_to(root).as_posix()}"
                total.update(f"{relative}\0".encode() + hashlib.sha256(file.read_bytes()).digest())
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
