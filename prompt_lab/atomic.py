"""Files that are there whole or not at all, whenever the process dies."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Replace `path` by `data`; whoever writes `path` must be the only one to.

    Raises:
        OSError: the directory cannot be written or the disk is full; `path` is as it was.
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
