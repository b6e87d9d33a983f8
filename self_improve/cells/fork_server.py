"""The command's side of a zygote: start it, give it cells, kill them, learn how they end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from model_gateway.passed_connections import PassedConnections
from self_improve.cells import environment as environments
from self_improve.cells.cell import CellRequest
from self_improve.cells.command_end import BrokenControl, CommandEnd
from self_improve.errors import ImproveError, UsageError
from self_improve.host import contract
from self_improve.host.contract import own_code
from self_improve.host.pipeline import Pipeline
from self_improve.sandbox import bounds, room

SECONDS_TO_LOAD = 120.0
LOAD = "PLUMBLINE_LOAD_SECONDS"
_SECONDS_TO_END = 5.0
_SECONDS_TO_READ = 0.2
_TAIL = 2000


def seconds_to_load() -> float:
    """Return how long code may take to be imported, which the environment can change.

    Raises:
        UsageError: the environment says no number of seconds.
    """
    text = os.environ.get(LOAD, "").strip()
    try:
        seconds = float(text or SECONDS_TO_LOAD)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise UsageError(f"{LOAD}={text!r} is not a number of seconds above 0.")
    return seconds


class ForkServer:
    """One running zygote.

    `room` is the only folder in which it and its cells can write, None where it is not confined;
    `sandbox` says how it is confined. `doors` receives the calls of confined cells; `listener` is
    the socket at which they reach the gateway over HTTP.
    """

    def __init__(self, line: CommandEnd, errors: IO[bytes], room_path: Path | None) -> None:
        self._line = line
        self._errors = errors
        self._ended: dict[str, asyncio.Future[int]] = {}
        self._listening: asyncio.Task[None] | None = None
        self._closing = False
        self._stack = AsyncExitStack()
        self._process: asyncio.subprocess.Process | None = None
        self._death: asyncio.Task[int] | None = None
        self.doors = PassedConnections()
        self.pipeline = Pipeline(steps={}, surfaces={})
        self.room = room_path
        self.sandbox: str | None = None
        self.listener: socket.socket | None = None

    @classmethod
    async def start(
        cls,
        *,
        code: Path,
        host_file: Path,
        speed: str,
        environment: Mapping[str, str],
        errors: IO[bytes],
        confined: bool = False,
        seconds: float | None = None,
    ) -> ForkServer:
        """Start a zygote in the code tree `code` and wait until it has described its steps.

        Of `environment` it gets what is allowed; what the host prints goes to `errors`. With
        `confined` it is confined before the host is imported.

        Raises:
            ImproveError: the host cannot be imported from there, or not within `seconds`.
        """
        async with AsyncExitStack() as stack:
            room_path = stack.enter_context(room.opened()) if confined else None
            server = cls(CommandEnd(), errors, room_path)
            stack.push_async_callback(server._end)
            await server._spawn(code, host_file, speed, environment)
            try:
                seconds = seconds_to_load() if seconds is None else seconds
                async with asyncio.timeout(seconds):
                    server.pipeline = await server._loaded(code)
            except TimeoutError as error:
                raise ImproveError(
                    f"The pipeline in {code} was not loaded within {seconds:g} s. Look for code "
                    "that waits or computes while it is imported, or give it longer: "
                    f"{LOAD}=SECONDS."
                ) from error
            server._listening = asyncio.create_task(server._listen())
            server._stack = stack.pop_all()
        return server

    async def _spawn(
        self, code: Path, host_file: Path, speed: str, environment: Mapping[str, str]
    ) -> None:
        host = contract.load(host_file)
        code = code.resolve()
        # A stranger's host file must not say which variables of the user's it wants to see.
        named = host.passes if self.room is None or not host_file.is_relative_to(code) else ()
        variables = environments.of_cells(environment, named=named)
        limits = None
        if self.room is not None:
            variables = environments.at_home(variables, self.room / room.HOME)
            limits = bounds.bounds_of(
                code, own_tree=own_code(), read=(host_file,), write=(self.room,)
            )
            if host.uses_gateway_url:
                # For a zygote that gets no network of its own.
                self.listener = socket.create_server(("127.0.0.1", 0))
                self.listener.setblocking(False)
                limits = replace(limits, ports=(self.listener.getsockname()[1],))
        paths = [str(own_code()), *variables.get("PYTHONPATH", "").split(os.pathsep)]
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-X", "no_debug_ranges", "-m", "self_improve.cells.zygote_start",
            str(self._line.other), str(code),
            stdin=asyncio.subprocess.DEVNULL, stdout=self._errors, stderr=self._errors,
            pass_fds=(self._line.other, self.doors.other),
            env={**variables, "PYTHONPATH": os.pathsep.join(p for p in paths if p)},
            cwd=code, start_new_session=True,
        )  # fmt: skip
        self._death = asyncio.create_task(self._process.wait())
        self._line.handed_over()
        self.doors.handed_over()
        self._line.send({
            "code": str(code), "host": str(host_file), "speed": speed, "room": str(self.room),
            "bounds": None if limits is None else limits.to_row(),
            "over_http": host.uses_gateway_url,
        })  # fmt: skip

    async def _loaded(self, code: Path) -> Pipeline:
        """Return the pipeline that the zygote describes when it is ready."""
        row: dict[str, Any] | None = await self._receive()
        if row is not None and "sandbox" in row:
            self.sandbox = row["sandbox"]
            if self._line.listener is not None:
                self._close_listener()
                self.listener = self._line.listener
            row = await self._receive()
        try:
            if row is not None and "ready" in row:
                return Pipeline.from_row(row)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            row = {"refused": f"it describes its steps wrongly ({type(error).__name__})"}
        if row:
            reason = str(row.get("refused"))[:_TAIL]
        else:
            # It has closed its connection; its status comes a moment later.
            if self._death is not None:
                await asyncio.wait({self._death}, timeout=_SECONDS_TO_END)
            killed = self._process is not None and (self._process.returncode or 0) < 0
            reason = self._last_output() + (". Run the same command again." if killed else "")
        raise ImproveError(f"The pipeline in {code} cannot be loaded: {reason}")

    async def run(self, request: CellRequest) -> int:
        """Run a cell and return its exit status, negative for the signal that killed it.

        Raises:
            ImproveError: the zygote itself ended.
        """
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        if self._listening is None or self._listening.done():
            raise ImproveError(f"The zygote ended: {self._last_output()}")
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
        await self._stack.aclose()

    async def _end(self) -> None:
        """End the zygote, and wait until all that it has started is gone."""
        self._line.end()
        self.doors.close()
        self._close_listener()
        if self._process is not None and self._death is not None:
            if self._listening is not None:
                await asyncio.wait({self._death}, timeout=_SECONDS_TO_END)
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._death
        if self._listening is not None:
            await self._listening
        self._line.close()

    def _close_listener(self) -> None:
        if self.listener is not None:
            self.listener.close()

    def _send(self, command: dict[str, Any]) -> None:
        self._line.send(command)

    async def _receive(self) -> dict[str, Any] | None:
        """Return the next event; None when the zygote has ended, or sends something else."""
        event = asyncio.ensure_future(self._line.receive())
        watched = {event} if self._death is None else {event, self._death}
        try:
            await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
            if not event.done():
                # What it sent before its end may still have to be read.
                await asyncio.wait({event}, timeout=_SECONDS_TO_READ)
            return event.result() if event.done() else None
        except BrokenControl:
            return None
        finally:
            event.cancel()

    async def _listen(self) -> None:
        while (event := await self._receive()) is not None:
            status = event.get("status")
            ended = self._ended.pop(str(event.get("ended")), None)
            if ended is not None and not ended.done() and isinstance(status, int):
                ended.set_result(status)
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
        status = self._process.returncode if self._process is not None else None
        output = self._errors.read().decode("utf-8", "replace").strip()
        return output or f"it ended with status {status}"
