"""The command's side of a zygote: start it, give it cells, kill them, learn how they end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from self_improve.cells.cell import CellRequest
from self_improve.errors import ImproveError
from self_improve.host.contract import own_code
from self_improve.host.pipeline import Pipeline

_LONGEST_LINE = 64 * 1024 * 1024
_TAIL = 2000


class ForkServer:
    """One running zygote."""

    def __init__(self, process: asyncio.subprocess.Process, errors: IO[bytes]) -> None:
        self._process = process
        self._errors = errors
        self._ended: dict[str, asyncio.Future[int]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._closing = False
        self.pipeline = Pipeline(steps={}, surfaces={})

    @classmethod
    async def start(
        cls,
        *,
        code: Path,
        host_file: Path,
        speed: str,
        environment: Mapping[str, str],
        errors: IO[bytes],
    ) -> ForkServer:
        """Start a zygote in the code tree `code` and wait until it has described its steps.

        `environment` must not hold keys; what the host prints goes to `errors`.

        Raises:
            ImproveError: the host cannot be imported from there.
        """
        paths = [str(own_code()), *environment.get("PYTHONPATH", "").split(os.pathsep)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-X", "no_debug_ranges", "-m", "self_improve.cells.zygote_start",
            str(code), str(host_file), speed,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
            env={**environment, "PYTHONPATH": os.pathsep.join(p for p in paths if p)},
            cwd=code, limit=_LONGEST_LINE, start_new_session=True,
        )  # fmt: skip
        server = cls(process, errors)
        try:
            row = await server._receive()
        except BaseException:
            # Nobody has the server yet, so code that hangs while it is imported would stay forever.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if row is None or "refused" in row:
            await server.close()
            reason = row["refused"] if row else server._last_output()
            raise ImproveError(f"The pipeline in {code} cannot be loaded: {reason}")
        server.pipeline = Pipeline.from_row(row)
        server._listening = asyncio.create_task(server._listen())
        return server

    async def run(self, request: CellRequest) -> int:
        """Run a cell and return its exit status, negative for the signal that killed it.

        Raises:
            ImproveError: the zygote itself ended.
        """
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ended[request.id] = ended
        self._send({"start": request.to_row()})
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            self.kill(request.id)
            raise

    def kill(self, cell_id: str) -> None:
        """Kill a cell and all its processes."""
        self._send({"kill": cell_id})

    async def close(self) -> None:
        """End the zygote and every remaining cell; waiting calls of `run` are cancelled."""
        self._closing = True
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), timeout=5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        if self._listening is not None:
            await self._listening

    def _send(self, command: dict[str, Any]) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _receive(self) -> dict[str, Any] | None:
        if self._process.stdout is None:
            return None
        line = await self._process.stdout.readline()
        if not line:
            return None
        event: dict[str, Any] = json.loads(line)
        return event

    async def _listen(self) -> None:
        while (event := await self._receive()) is not None:
            ended = self._ended.pop(event["ended"], None) if "ended" in event else None
            if ended is not None and not ended.done():
                ended.set_result(event["status"])
        for ended in self._ended.values():
            if self._closing:  # An interrupt, perhaps a second one: nothing went wrong.
                ended.cancel()
            elif not ended.done():
                ended.set_exception(ImproveError(f"The zygote ended: {self._last_output()}"))

    def _last_output(self) -> str:
        self._errors.flush()
        self._errors.seek(0, os.SEEK_END)
        size = self._errors.tell()
        self._errors.seek(max(0, size - _TAIL))
        output = self._errors.read().decode("utf-8", "replace").strip()
        return output or f"it ended with status {self._process.returncode}"
