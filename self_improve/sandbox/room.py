"""The only folder that confined code may write in; it is gone when its user ends.

What is left there is a stranger's: links, endless folders, pipes. Nothing in it is followed.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "plumbline-room-"
HOME = "home"


@contextmanager
def opened() -> Iterator[Path]:
    """Yield a new room with a home in it; remove it, and those that killed commands have left."""
    parent = Path(tempfile.gettempdir()).resolve()
    _sweep(parent)
    path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (path / HOME).mkdir()
        yield path
    finally:
        _remove(path)
        os.close(lock)


def _sweep(parent: Path) -> None:
    """Remove rooms whose command is gone: nobody holds their lock."""
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # One that is being made has no home yet; its lock is taken in a moment.
                if os.fstat(lock).st_uid == os.getuid() and (path / HOME).exists():
                    _remove(path)
            finally:
                os.close(lock)


def _remove(room: Path) -> None:
    with suppress(OSError):
        empty(room)
        room.rmdir()


def empty(room: Path) -> None:
    """Remove all in a folder in which nobody works any more, however deep it is.

    Raises:
        OSError: something cannot be removed.
    """
    numbers = itertools.count()
    pending = [room]
    while pending:
        folder = pending.pop()
        folder.chmod(0o700)
        with os.scandir(folder) as entries:
            listed = list(entries)
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                if folder == room:
                    pending.append(Path(entry.path))
                    continue
                # Moved up, because a path may be longer than the kernel takes.
                above = next(
                    path for n in numbers if not os.path.lexists(path := room / f".left-{n}")
                )
                os.rename(entry.path, above)  # noqa: PTH104 - a name may be no text
                pending.append(above)
            else:
                os.unlink(entry.path)  # noqa: PTH108 - as above
        if folder != room:
            folder.rmdir()
