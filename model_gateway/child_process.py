"""A child process that gets no keys, has a time limit, and is killed with all that it started."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil

from model_gateway import kernel

MARK = "PLUMBLINE_CHILD"
_CHUNK = 65_536
_LAST_WORDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a child ended: its exit status, None if it was killed at its limit, and what it said.

    Of each of the two streams the last part is kept.
    """

    status: int | None
    output: str
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
    async with AsyncExitStack() as stack:
        task = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is one
        task.write(given.encode("utf-8", "replace"))
        task.seek(0)
        # Pipes of our own: asyncio's would have us wait until every grandchild closed them, too.
        said, to_said = await _listening(stack, most)
        complaint, to_complaint = await _listening(stack, most)
        try:
            process = await asyncio.create_subprocess_exec(
                *words, cwd=folder, env={**environment, MARK: mark}, start_new_session=True,
                stdin=task, stdout=to_said, stderr=to_complaint, preexec_fn=kernel.die_with_parent,
            )  # fmt: skip
        finally:
            os.close(to_said)
            os.close(to_complaint)
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
        await asyncio.wait([said, complaint], timeout=_LAST_WORDS)
        return Ended(status=status, output=_heard(said), complaint=_heard(complaint))


async def _listening(stack: AsyncExitStack, most: int) -> tuple[asyncio.Task[str], int]:
    """Return a task that hears the last of what is written to a new pipe, and the pipe's end."""
    ours, theirs = os.pipe()
    stream = asyncio.StreamReader()
    file = os.fdopen(ours, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), file
    )
    stack.callback(transport.close)
    task = asyncio.create_task(_tail(stream, most))
    stack.callback(task.cancel)
    return task, theirs


async def _tail(stream: asyncio.StreamReader, most: int) -> str:
    kept = bytearray()
    while data := await stream.read(_CHUNK):
        kept += data
        if len(kept) > 2 * most:
            kept = kept[-most:]
    return kept[-most:].decode("utf-8", "replace")


def _heard(task: asyncio.Task[str]) -> str:
    return task.result() if task.done() else ""


def _kill_marked(mark: str) -> None:
    """Kill those that left the child's session; they have its mark in their environment."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                process.kill()
