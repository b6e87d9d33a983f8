"""One zip that a source offers, and how its bytes get into the data repo."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Protocol, Self

from prompt_lab.dataset import Plan
from prompt_lab.errors import LabError
from prompt_lab.progress import Listener, readable

_CHUNK = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """The facts of a zip that was copied or downloaded."""

    sha256: str
    url: str | None = None
    etag: str | None = None


class Offer(Protocol):
    """A zip for one plan of one split."""

    @property
    def plan(self) -> str:
        """The name of the plan."""

    @property
    def split(self) -> str:
        """The split it is for."""

    @property
    def called(self) -> str:
        """The zip as messages name it."""

    def bring(
        self, target: Path, *, recorded: Plan | None, most: int, listener: Listener
    ) -> Arrival | None:
        """Write the zip to `target`, at most `most` bytes of it.

        Returns None, and writes nothing, if the source reports the same version as in `recorded`.

        Raises:
            LabError: it cannot be read, or is too large.
            OSError: `target` cannot be written.
        """


@dataclass(frozen=True, kw_only=True)
class LocalZip:
    """A zip on this machine's disk, or among the files of the installed package."""

    plan: str
    split: str
    file: Traversable

    @property
    def called(self) -> str:
        """The zip as messages name it."""
        return str(self.file)

    def bring(
        self, target: Path, *, recorded: Plan | None, most: int, listener: Listener
    ) -> Arrival | None:
        """Copy the zip; that is cheap enough to ignore `recorded`."""
        del recorded
        try:
            source = self.file.open("rb")
        except OSError as error:
            raise LabError(f"{self.called} cannot be read: {error.strerror}.") from error
        with source, Sink(target, called=self.called, most=most, listener=listener) as sink:
            while chunk := source.read(_CHUNK):
                sink.write(chunk)
        return Arrival(sha256=sink.sha256)


class Sink:
    """A new file that receives the bytes of a zip, counts and digests them.

    Raises:
        LabError: `write` was given more than `most` bytes in all.
        OSError: the file exists or cannot be written.
    """

    def __init__(self, target: Path, *, called: str, most: int, listener: Listener) -> None:
        self._file = target.open("xb")
        self._called = called
        self._most = most
        self._listener = listener
        self._digest = hashlib.sha256()
        self._size = 0

    @property
    def sha256(self) -> str:
        """The digest of the bytes so far."""
        return self._digest.hexdigest()

    def write(self, chunk: bytes) -> None:
        """Write the next bytes."""
        self.expect(self._size + len(chunk))
        self._size += len(chunk)
        self._file.write(chunk)
        self._digest.update(chunk)
        self._listener.received(len(chunk))

    def expect(self, size: int) -> None:
        """Refuse a zip of `size` bytes before they arrive."""
        if size > self._most:
            raise LabError(
                f"{self._called} is larger than {self._most:,} bytes ({readable(self._most)}). "
                "To allow more: --max-bytes N"
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._file:
            if kind is None:
                self._file.flush()
                os.fsync(self._file.fileno())
