"""Folders for the time of one command: gone when it ends, and swept by the next if it was killed.

Each is locked while its process lives. It is locked under one name and renamed then, so what has
the second name and no lock was left by a killed process. What is in it may be a stranger's: links,
endless folders, pipes. Nothing in it is followed.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "plumbline-work-"
SOCKETS = "gw."
_LOCKED = (PREFIX, SOCKETS)
_NEW = "plumbline-new-"
_MAY_BE_NEW = (_NEW, "gw-")
"""Folders that are not locked yet, and those of older versions, which never are."""
_YOUNG_SECONDS = 60.0


@contextmanager
def opened(kind: str) -> Iterator[Path]:
    """Yield a new folder, of which `kind` says in its name what for; sweep, and remove it then.

    Raises:
        OSError: no folder can be created.
    """
    with opened_in(Path(tempfile.gettempdir()).resolve(), f"{PREFIX}{kind}-") as path:
        yield path


@contextmanager
def opened_in(parent: Path, prefix: str) -> Iterator[Path]:
    """Yield a new folder in `parent`, with eight characters after a locked `prefix`; as `opened`.

    Raises:
        OSError: no folder can be created.
    """
    sweep(parent)
    new = Path(tempfile.mkdtemp(prefix=_NEW, dir=parent))
    lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path = new.rename(parent / f"{prefix}{new.name.removeprefix(_NEW)}")
        try:
            yield path
        finally:
            _remove(path)
    finally:
        os.close(lock)


def sweep(parent: Path) -> None:
    """Remove the folders of this user that no process holds."""
    for prefix in (*_LOCKED, *_MAY_BE_NEW):
        for path in parent.glob(f"{prefix}*"):
            with suppress(OSError):
                lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    status = os.fstat(lock)
                    is_old = time.time() - status.st_mtime > _YOUNG_SECONDS
                    if status.st_uid == os.getuid() and (prefix in _LOCKED or is_old):
                        _remove(path)
                finally:
                    os.close(lock)


def _remove(folder: Path) -> None:
    with suppress(OSError):
        empty(folder)
        folder.rmdir()


def empty(top: Path) -> None:
    """Remove all in a folder in which nobody works any more, however deep it is.

    Raises:
        OSError: something cannot be removed.
    """
    numbers = itertools.count()
    pending = [top]
    while pending:
        folder = pending.pop()
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                if folder == top:
                    pending.append(Path(entry.path))
                    continue
                # Moved up, because a path may be longer than the kernel takes.
                above = next(
                    path for n in numbers if not os.path.lexists(path := top / f".left-{n}")
                )
                os.rename(entry.path, above)  # noqa: PTH104 - a name may be no text
                pending.append(above)
            else:
                os.unlink(entry.path)  # noqa: PTH108 - as above
        if folder != top:
            folder.rmdir()
