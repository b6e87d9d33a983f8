"""Recognizes the pointer that a clone without Git LFS holds in place of a file."""

from __future__ import annotations

from pathlib import Path

POINTER = b"version https://git-lfs.github.com/spec/"
PROBLEM = "is a Git LFS pointer, not the file itself; fetch it with `git lfs pull`"
_LONGEST = 1024
"""Bytes: the format allows no longer pointer, so a text that only begins like one is longer."""


def is_pointer(data: bytes) -> bool:
    """Return whether a file's content, or its first kilobyte, is a pointer."""
    return len(data) <= _LONGEST and data.startswith(POINTER) and b"\noid " in data


def is_pointer_at(path: Path) -> bool:
    """Return whether the file at `path` is a pointer; one that cannot be read is not."""
    try:
        if path.stat().st_size > _LONGEST:
            return False
        with path.open("rb") as file:
            return is_pointer(file.read(_LONGEST + 1))
    except OSError:
        return False
