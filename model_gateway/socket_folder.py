"""A folder for sockets: with a short path, only for this user, and gone when its process is.

A process that is killed cannot remove its folder. So the folder holds a locked file, and the next
process removes every folder whose lock is free.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from model_gateway import temporary
from model_gateway.errors import GatewayError

_PREFIX = "gw-"
_LOCK = "lock"
# A socket's name may have 107 bytes; the folder's and the socket's own take at most these.
_LONGEST_BASE = 107 - len("/gw-12345678/1234567890")
_ELSEWHERE = ("/tmp", "/dev/shm", "/var/tmp")  # noqa: S108 - mkdtemp below them
_YOUNG_SECONDS = 60.0


@contextmanager
def opened() -> Iterator[Path]:
    """Create a folder, remove what killed processes left beside it, and remove it at the end.

    Raises:
        GatewayError: no folder for temporary files has a path that is short enough.
    """
    base = _base()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
    try:
        with (folder / _LOCK).open("xb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _sweep(base)
            temporary.sweep(base)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _base() -> Path:
    """Return where sockets can be: the folder for temporary files, or one with a shorter path."""
    chosen = Path(tempfile.gettempdir())
    for base in (chosen, *map(Path, _ELSEWHERE)):
        if len(os.fsencode(base.absolute())) <= _LONGEST_BASE and os.access(base, os.W_OK):
            return base.absolute()
    raise GatewayError(
        f"The path of the folder for temporary files, {chosen}, is too long for a socket, and "
        f"{', '.join(_ELSEWHERE)} cannot be written. Set TMPDIR to a shorter path."
    )


def _sweep(base: Path) -> None:
    """Remove the folders of this user's processes that were killed."""
    for folder in base.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and _is_left(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_left(folder: Path) -> bool:
    """Whether no process holds a folder. One without a lock may be a moment old.

    Raises:
        OSError: a process holds it.
    """
    try:
        with (folder / _LOCK).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime > _YOUNG_SECONDS
    return True
