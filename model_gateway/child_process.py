"""A child process that gets no keys, has a time limit, and is killed with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

MARK = "PLUMBLINE_CHILD"
_CHUNK = 65_536
_LAST_WORDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a child ended: its exit status, None if it was killed at its limit, and what it said.

    Of each of the two streams the last part is kept.
    """

    status: int | None
    said: str
    complaint: str


async def run(
    words: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float,
    given: str = "",
    most: int = 4_000_000,
) -> Ended:
    """Run a command in a folder, with `given` on its standard input.

    `environment` is all that it sees, and holds no keys but those that it needs. Of what it says
    the last `most` bytes are kept.

    Raises:
        OSError: it cannot be started.
    """
    mark = uuid.uuid4().hex
    process = await asyncio.create_subprocess_exec(
        *words, cwd=folder, env={**environment, MARK: mark}, start_new_session=True,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    talk = [
        asyncio.create_task(_give(process.stdin, given)),
        asyncio.create_task(_tail(process.stdout, most)),
        asyncio.create_task(_tail(process.stderr, most)),
    ]
    status: int | None = None
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                status = await process.wait()
    finally:
        # Whatever it has started ends with it, also when this task is cancelled.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        _kill_marked(mark)
        _, left = await asyncio.wait(talk, timeout=_LAST_WORDS)
        for task in left:
            task.cancel()
    _, said, complaint = ("" if task in left else task.result() or "" for task in talk)
    return Ended(status=status, said=said, complaint=complaint)


async def _give(stream: asyncio.StreamWriter | None, given: str) -> None:
    if stream is None:
        return
    with contextlib.suppress(ConnectionError):
        stream.write(given.encode("utf-8", "replace"))
        await stream.drain()
        stream.close()


async def _tail(stream: asyncio.StreamReader | None, most: int) -> str:
    kept = b""
    while stream is not None and (data := await stream.read(_CHUNK)):
        kept = (kept + data)[-most:]
    return kept.decode("utf-8", "replace")


def _kill_marked(mark: str) -> None:
    """Kill those that left the child's session; they have its mark in their environment."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                process.kill()
