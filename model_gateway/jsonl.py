"""Append-only files of JSON lines that survive a kill: the storage under every record."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Self

from model_gateway.foreign_files import UnreadableFile, json_of, opened

Row = dict[str, Any]

LARGEST_LINE = 64 * 1024 * 1024
"""Bytes. No row of ours is longer, and a longer line is not read into memory."""
_MOST_BYTES = 2_000_000_000


def dumps(row: Row) -> str:
    """Return `row` as one line of JSON; lone surrogates are escaped so that it always encodes."""
    text = json.dumps(row, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(row)
    return text


def lines(rows: Iterable[Row]) -> bytes:
    """Return a file of `rows`, for those that are written whole."""
    return "".join(dumps(row) + "\n" for row in rows).encode()


def read_rows(path: Path) -> tuple[list[Row], int]:
    """Return the readable rows of `path` and the number of torn lines that were skipped.

    A line that is not a JSON object was left by a killed writer; it is not an error.
    A missing file has no rows.

    Raises:
        UnreadableFile: it is not a regular file, or too large to be a record.
        OSError: it may not be read.
    """
    try:
        file = opened(path)
    except FileNotFoundError:
        return [], 0
    rows: list[Row] = []
    torn = 0
    with file:
        if os.fstat(file.fileno()).st_size > _MOST_BYTES:
            raise UnreadableFile(
                path, f"has more than {_MOST_BYTES // 1_000_000} MB", "move it to another place"
            )
        while line := file.readline(LARGEST_LINE):
            if _is_cut_off(line) and _skip_line(file):
                torn += 1
            elif line.strip():
                row = read_line(line)
                torn += row is None
                rows += [] if row is None else [row]
    return rows, torn


def read_line(line: bytes) -> Row | None:
    """Return the row in a line, or None if it is torn or holds something else."""
    try:
        row = json_of(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _is_cut_off(line: bytes) -> bool:
    return len(line) == LARGEST_LINE and not line.endswith(b"\n")


def _skip_line(file: IO[bytes]) -> bool:
    """Skip the rest of a line; return whether there was one."""
    rest = file.readline(LARGEST_LINE)
    skipped = bool(rest)
    while _is_cut_off(rest):
        rest = file.readline(LARGEST_LINE)
    return skipped


class Appender:
    """Appends rows to one file; a torn last line is ended first, not overwritten."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        facts = os.fstat(self._file)
        if not stat.S_ISREG(facts.st_mode):
            os.close(self._file)
            raise UnreadableFile(path, "is not a regular file", "put a file in its place")
        size = facts.st_size
        self._torn = size > 0 and os.pread(self._file, 1, size - 1) != b"\n"

    def append(self, row: Row, *, sync: bool = False) -> None:
        """Write one row; with `sync` it is on the disk when this returns."""
        self.append_all([row], sync=sync)

    def append_all(self, rows: list[Row], *, sync: bool = False) -> None:
        """Write several rows at once.

        Raises:
            OSError: the disk is full or read-only; what was written before stays readable.
        """
        self.append_lines([dumps(row) for row in rows], sync=sync)

    def append_lines(self, lines: list[str], *, sync: bool = False) -> None:
        """Write lines that `dumps` returned.

        Raises:
            OSError: the disk is full or read-only; what was written before stays readable.
        """
        self._write("".join(line + "\n" for line in lines).encode())
        if sync:
            os.fsync(self._file)

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(b"\n" + data if self._torn else data)
        while view:
            # A full disk may accept a part before it refuses the rest.
            self._torn = True
            view = view[os.write(self._file, view) :]
        self._torn = False


class SyncedAppender:
    """An `Appender` for an event loop: rows that arrive together share one sync."""

    def __init__(self, path: Path) -> None:
        self._appender = Appender(path)
        self._queue: list[tuple[str, asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def append(self, row: Row) -> None:
        """Return when `row` is on the disk.

        Raises:
            OSError: it could not be written.
            TypeError, ValueError: it is not JSON; other rows are written all the same.
        """
        line = dumps(row)
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((line, written))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._drain())
        await written

    async def close(self) -> None:
        """Write what is queued and close the file."""
        if self._task is not None:
            await self._task
        self._appender.close()

    async def _drain(self) -> None:
        while self._queue:
            batch, self._queue = self._queue, []
            error: OSError | None = None
            try:
                await asyncio.to_thread(
                    self._appender.append_lines, [line for line, _ in batch], sync=True
                )
            except OSError as problem:
                error = problem
            for _, written in batch:
                if written.done():
                    continue
                if error is None:
                    written.set_result(None)
                else:
                    written.set_exception(error)
