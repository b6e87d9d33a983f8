"""The directory that an agent's program runs in, outside of any repository, and gone afterwards.

A process that is killed cannot remove its directory. So each holds a locked file, and the next
program's start removes every directory whose lock is free.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "plumbline-program-"
_LOCK = "lock"


@contextmanager
def opened() -> Iterator[Path]:
    """Create a directory, remove what killed processes left beside it, and remove it at the end."""
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as name:
        folder = Path(name)
        with (folder / _LOCK).open("xb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _sweep(folder.parent)
            yield folder


def _sweep(base: Path) -> None:
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid():
                with (folder / _LOCK).open("rb") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
