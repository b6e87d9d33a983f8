"""Runs a child process without keys, with a time limit, and kills it with all that it started."""

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
class ProcessResult:
    """How a child ended: its exit status, None if it was killed at its limit, and its output.

    Of each stream only the last part is kept.
    """

    status: int | None
    output: str
    error_output: str


async def run(
    words: Sequence[str],
    *,
    folder: Path,
    environment: Mapping[str, str],
    seconds: float,
    input_text: str = "",
    max_bytes: int = 4_000_000,
) -> ProcessResult:
    """Run a command in a folder, with `given` on its standard input.

    `environment` is all that it sees, and holds no keys but those that it needs. Of what it writes
    to a stream, the last `max_bytes` bytes are kept.

    Raises:
        OSError: it cannot be started.
    """
    mark = uuid.uuid4().hex
    async with AsyncExitStack() as stack:
        task = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - it is one
        task.write(input_text.encode("utf-8", "replace"))
        task.seek(0)
        # Not asyncio's pipes, which would wait until every grandchild closed them, too.
        output, to_output = await _read_pipe(stack, max_bytes)
        errors, to_errors = await _read_pipe(stack, max_bytes)
        try:
            process = await asyncio.create_subprocess_exec(
                *words, cwd=folder, env={**environment, MARK: mark}, start_new_session=True,
                stdin=task, stdout=to_output, stderr=to_errors, preexec_fn=kernel.die_with_parent,
            )  # fmt: skip
        finally:
            os.close(to_output)
            os.close(to_errors)
        status: int | None = None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    status = await process.wait()
        finally:
            # All that it started ends with it, also when this task is cancelled.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            _kill_marked(mark)
        await asyncio.wait([output, errors], timeout=_LAST_WORDS)
        return ProcessResult(status=status, output=_result(output), error_output=_result(errors))


async def _read_pipe(stack: AsyncExitStack, max_bytes: int) -> tuple[asyncio.Task[str], int]:
    """Return a task that reads the tail of a new pipe, and the end to write to."""
    read_end, write_end = os.pipe()
    stream = asyncio.StreamReader()
    file = os.fdopen(read_end, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stream), file
    )
    stack.callback(transport.close)
    task = asyncio.create_task(_tail(stream, max_bytes))
    stack.callback(task.cancel)
    return task, write_end


async def _tail(stream: asyncio.StreamReader, max_bytes: int) -> str:
    data = bytearray()
    while chunk := await stream.read(_CHUNK):
        data += chunk
        if len(data) > 2 * max_bytes:
            data = data[-max_bytes:]
    return data[-max_bytes:].decode("utf-8", "replace")


def _result(task: asyncio.Task[str]) -> str:
    return task.result() if task.done() else ""


def _kill_marked(mark: str) -> None:
    """Kill those that left the child's session; they have its mark in their environment."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARK) == mark:
                process.kill()
