"""Finds and reads the files that a cell wrote; none of them is trusted."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from model_gateway.foreign_files import json_of, read_bytes
from prompt_lab import lfs
from self_improve.errors import UsageError

MOST_BYTES = 12_000_000
"""Larger artifacts are refused before they are parsed, as are cells whose files exceed it."""

_UNNUMBERED = re.compile(r"\A\d+(-\d+)*-")
_N = "<n>"


def names(folder: Path, artifact: str) -> list[str]:
    """Return the names that an artifact has in a folder."""
    if _N in artifact:
        pattern = re.compile(re.escape(artifact).replace(re.escape(_N), r"(\d+)") + r"\Z")
        matches = [(int(m[1]), n) for n in _listed(folder) if (m := pattern.match(n)) is not None]
        return [name for _, name in sorted(matches)]
    for name in (artifact, _UNNUMBERED.sub("", artifact)):
        if (folder / name).is_file():
            return [name]
    return []


def _listed(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir() if path.is_file()]
    except OSError:
        return []


def content(path: Path, most: int = MOST_BYTES) -> bytes | None:
    """Return a file's content, empty if it cannot be read, or None if it is larger than `most`.

    Raises:
        UsageError: it is a Git LFS pointer, so that the checkout lacks what it stands for.
    """
    try:
        data = read_bytes(path, most=most) if path.stat().st_size <= most else None
    except OSError:
        return b""
    if data is not None and lfs.is_pointer(data):
        raise UsageError(f"{path} {lfs.PROBLEM}.")
    return data


def parsed(data: bytes) -> Any:
    """Return the JSON value of a file."""
    try:
        return from_json(data)
    except ValueError:
        # It accepts half surrogate pairs, which the faster parser does not.
        return json_of(data)
