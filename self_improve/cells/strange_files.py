"""Reading and writing where strangers write: no link is followed, no pipe waited for.

All paths are relative to a directory that is open, so that nobody can put another in its place.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from self_improve.errors import ImproveError

MOST_FILES, DEEPEST, MOST_BYTES = 10_000, 32, 1024 * 1024 * 1024
_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class TooMuchError(ImproveError):
    """A step left more than a record can hold."""


@contextmanager
def opened(trusted: Path, *names: str) -> Iterator[int]:
    """Yield the descriptor of a directory that is reached from a trusted one by way of no link.

    Raises:
        OSError: there is none.
    """
    descriptor = os.open(trusted, _FOLDER & ~os.O_NOFOLLOW)
    try:
        with _inside(descriptor, "/".join(names)) as last:
            yield last
    finally:
        os.close(descriptor)


def create(folder: int, name: str, content: bytes) -> os.stat_result:
    """Write a file that does not exist yet, and return its status."""
    above, slash, rest = name.partition("/")
    if above in {"", ".", ".."}:
        raise FileNotFoundError(f"{name!r} leads out of the folder")
    if not slash:
        return _write(folder, name, content)
    with suppress(FileExistsError):
        os.mkdir(above, dir_fd=folder)
    with _inside(folder, above) as inner:
        return create(inner, rest, content)


def read(folder: int, name: str, most: int, *, tail: bool = False) -> bytes:
    """Return the first `most` bytes of a file, or its last ones.

    Raises:
        OSError: there is no such file, or it is something else.
    """
    with _file(folder, name) as descriptor:
        size = os.fstat(descriptor).st_size
        if tail and size > most:
            os.lseek(descriptor, size - most, os.SEEK_SET)
        parts = []
        while most > 0 and (part := os.read(descriptor, min(most, _CHUNK))):
            parts.append(part)
            most -= len(part)
        return b"".join(parts)


def copy(folder: int, name: str, target: Path) -> str:
    """Copy a file to a place of our own, and return the SHA-256 of the copy."""
    parents, _, leaf = name.rpartition("/")
    total = hashlib.sha256()
    with _inside(folder, parents) as last, _file(last, leaf) as source, target.open("xb") as file:
        left = MOST_BYTES
        while left > 0 and (part := os.read(source, min(left, _CHUNK))):
            total.update(part)
            file.write(part)
            left -= len(part)
    return total.hexdigest()


def listed(folder: int) -> list[tuple[str, os.stat_result]]:
    """Return the names and states of the plain files below a directory.

    Links, pipes, and names that begin with a dot or cannot be printed are left out.

    Raises:
        TooMuchError: there are too many, they are too large, or too deep.
    """
    files: list[tuple[str, os.stat_result]] = []
    _list(folder, "", 0, files)
    if sum(state.st_size for _, state in files) > MOST_BYTES:
        raise TooMuchError(f"the step left more than {MOST_BYTES} bytes")
    return sorted(files, key=lambda one: PurePosixPath(one[0]))


def _list(folder: int, prefix: str, depth: int, files: list[tuple[str, os.stat_result]]) -> None:
    if depth > DEEPEST:
        raise TooMuchError(f"the step left folders that are more than {DEEPEST} deep")
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                with _inside(folder, entry.name) as inner:
                    _list(inner, f"{name}/", depth + 1, files)
            elif _is_artifact(entry):
                files.append((name, entry.stat(follow_symlinks=False)))
                if len(files) > MOST_FILES:
                    raise TooMuchError(f"the step left more than {MOST_FILES} files")


def _is_artifact(entry: os.DirEntry[str]) -> bool:
    return (
        entry.is_file(follow_symlinks=False)
        and not entry.name.startswith(".")
        and entry.name.isprintable()
    )


@contextmanager
def _inside(folder: int, name: str) -> Iterator[int]:
    """Yield the descriptor of a directory below another one, by way of no link."""
    last = os.dup(folder)
    try:
        for part in PurePosixPath(name).parts:
            inner = os.open(part, _FOLDER, dir_fd=last)
            os.close(last)
            last = inner
        yield last
    finally:
        os.close(last)


@contextmanager
def _file(folder: int, name: str) -> Iterator[int]:
    descriptor = os.open(name, _READ, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise FileNotFoundError(f"{name} is another thing than a file")
        yield descriptor
    finally:
        os.close(descriptor)


def _write(folder: int, name: str, content: bytes) -> os.stat_result:
    descriptor = os.open(name, _CREATE, 0o644, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        return os.fstat(descriptor)
