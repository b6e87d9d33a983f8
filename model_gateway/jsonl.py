"""Files of JSON lines that only grow and survive a kill: the storage under every record."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

Row = dict[str, Any]


def dumps(row: Row) -> str:
    """Return `row` as one line of JSON; lone surrogates are escaped so that it always encodes."""
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(row)
    return text


def read_rows(path: Path) -> tuple[list[Row], int]:
    """Return the readable rows of `path` and the number of torn lines that were passed over.

    A line that is not a JSON object is what a killed writer left; it is never an error.
    A missing file has no rows.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return [], 0
    rows: list[Row] = []
    torn = 0
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            torn += 1
            continue
        if isinstance(row, dict):
            rows.append(row)
        else:
            torn += 1
    return rows, torn


class Appender:
    """Appends rows to one file; a torn last line is closed first, never overwritten."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            self._write(b"\n")

    def append(self, row: Row, *, sync: bool = False) -> None:
        """Write one row; with `sync` it is on the disk when this returns."""
        self.append_all([row], sync=sync)

    def append_all(self, rows: list[Row], *, sync: bool = False) -> None:
        """Write several rows in one go.

        Raises:
            OSError: the disk is full or read-only; what was written before stays readable.
        """
        self._write("".join(dumps(row) + "\n" for row in rows).encode())
        if sync:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]


class SyncedAppender:
    """An `Appender` for an event loop: rows that arrive together share one sync to disk."""

    def __init__(self, path: Path) -> None:
        self._appender = Appender(path)
        self._waiting: list[tuple[Row, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def append(self, row: Row) -> None:
        """Return when `row` is on the disk.

        Raises:
            OSError: it could not be written.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await asyncio.shield(done)

    async def close(self) -> None:
        """Write what is waiting and close the file."""
        if self._task is not None:
            await self._task
        self._appender.close()

    async def _drain(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            error: OSError | None = None
            try:
                await asyncio.to_thread(
                    self._appender.append_all, [row for row, _ in batch], sync=True
                )
            except OSError as problem:
                error = problem
            for _, done in batch:
                if done.done():
                    continue
                if error is None:
                    done.set_result(None)
                else:
                    done.set_exception(error)
