"""Atomic writes: after a kill a file is complete or unchanged."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write(path: Path, data: bytes) -> None:
    """Replace `path` by `data`; there must be no other writer of `path`.

    Raises:
        OSError: the directory cannot be written or the disk is full; `path` is unchanged.
    """
    partial = path.with_name(f".{path.name}.part")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any, *, indent: int = 1) -> None:
    """Replace `path` by plain JSON values; numbers of numpy become Python's own.

    Raises:
        OSError: as `write`.
    """
    write(path, json_text(value, indent=indent).encode())


def json_text(value: Any, *, indent: int = 1, sort_keys: bool = False) -> str:
    """Return plain JSON values as the text of a file that always encodes.

    Models may write lone surrogates; then everything but ASCII is escaped.
    """
    options: dict[str, Any] = {
        "indent": indent, "sort_keys": sort_keys, "default": lambda scalar: scalar.item(),
    }  # fmt: skip
    text = json.dumps(value, ensure_ascii=False, **options)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value, **options)
    return text + "\n"
