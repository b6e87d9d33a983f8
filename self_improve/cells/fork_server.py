"""The command's side of a zygote: start it, give it cells, kill them, hear how they end."""

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
        """Start a zygote in the code tree `code` and wait until it knows its steps.

        `environment` must hold no keys; what the host prints goes to `errors`.

        Raises:
            ImproveError: the host cannot be imported from there; the message says why.
        """
        own = str(own_code())
        paths = [own, *environment.get("PYTHONPATH", "").split(os.pathsep)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-X", "no_debug_ranges", "-m", "self_improve.cells.zygote_start",
            str(code), str(host_file), speed,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors,
            env={**environment, "PYTHONPATH": os.pathsep.join(p for p in paths if p)},
            cwd=code, limit=_LONGEST_LINE, start_new_session=True,
        )  # fmt: skip
        server = cls(process, errors)
        try:
            told = await server._hear()
        except BaseException:
            # Nobody has the server yet: code that hangs while it is imported would stay for ever.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
            raise
        if told is None or "refused" in told:
            await server.close()
            reason = told["refused"] if told else server._last_words()
            raise ImproveError(f"The pipeline in {code} cannot be loaded: {reason}")
        server.pipeline = Pipeline.from_row(told)
        server._listening = asyncio.create_task(server._listen())
        return server

    async def run(self, order: CellRequest) -> int:
        """Run a cell and return its exit status, negative for the signal that killed it.

        Raises:
            ImproveError: the zygote itself ended.
        """
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._ended[order.id] = ended
        self._say({"start": order.to_row()})
        try:
            return await asyncio.shield(ended)
        except asyncio.CancelledError:
            self.kill(order.id)
            raise

    def kill(self, cell_id: str) -> None:
        """Kill a cell and all its processes."""
        self._say({"kill": cell_id})

    async def close(self) -> None:
        """End the zygote and every cell that is left; whoever waits for one is cancelled."""
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

    def _say(self, order: dict[str, Any]) -> None:
        if self._process.stdin is not None and not self._process.stdin.is_closing():
            with contextlib.suppress(ConnectionError):
                self._process.stdin.write(json.dumps(order).encode() + b"\n")

    async def _hear(self) -> dict[str, Any] | None:
        if self._process.stdout is None:
            return None
        line = await self._process.stdout.readline()
        if not line:
            return None
        told: dict[str, Any] = json.loads(line)
        return told

    async def _listen(self) -> None:
        while (told := await self._hear()) is not None:
            ended = self._ended.pop(told["ended"], None) if "ended" in told else None
            if ended is not None and not ended.done():
                ended.set_result(told["status"])
        for ended in self._ended.values():
            if self._closing:  # An interrupt, perhaps a second one: nothing has gone wrong.
                ended.cancel()
            elif not ended.done():
                ended.set_exception(ImproveError(f"The zygote ended: {self._last_words()}"))

    def _last_words(self) -> str:
        self._errors.flush()
        self._errors.seek(0, os.SEEK_END)
        size = self._errors.tell()
        self._errors.seek(max(0, size - _TAIL))
        said = self._errors.read().decode("utf-8", "replace").strip()
        return said or f"it ended with status {self._process.returncode}"
