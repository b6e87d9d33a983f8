"""The gateway process beside a run directory: opens doors on request, ends when nobody needs it."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from model_gateway import beside, caps, entry_files, socket_folder
from model_gateway.cache import Cache, default_path
from model_gateway.config import Catalogue, Model
from model_gateway.errors import ConfigError, GatewayError
from model_gateway.exchange import Caller, NoObserver
from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal, read_attempts
from model_gateway.jsonl import Appender, read_rows
from model_gateway.ledger import Ledger, Spend, refuse_unpriced, spent_before
from model_gateway.line_connection import to_line

ATTEMPTS = "attempts.jsonl"
LEDGER = "ledger.jsonl"
CACHE_VARIABLE = "PLUMBLINE_CACHE"

_WRITER_LOCK = "writer.lock"
_WAIT_FOR_WRITER_SECONDS = 20.0
_POLL_SECONDS = 0.25


def uses_cache(environment: Mapping[str, str]) -> bool:
    """Whether replies are cached across runs; the environment can switch that off."""
    return environment.get(CACHE_VARIABLE, "").strip().lower() != "off"


def spent_on(folder: Path) -> Spend:
    """Return what earlier gateways with their files in `folder` spent."""
    return spent_before(read_rows(folder / LEDGER)[0], read_attempts(folder / ATTEMPTS))


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The files in the process's folder, and the gateway that writes there."""

    plan: str
    gateway: Gateway
    catalogue: Catalogue
    journal: FileJournal
    rows: Appender
    cache: Cache | None

    def caller(self, cell: str, models: tuple[Model, ...]) -> Caller:
        """Return the caller behind the door of `cell`."""
        return Caller(
            cell=cell, plan=self.plan, repeat=0, seed=0, models=models, journal=self.journal,
            observer=NoObserver(), log=self.rows.append, cache=self.cache,
        )  # fmt: skip


class Control:
    """The control socket: each connection holds one door, which closes with it."""

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._lines: set[asyncio.Task[None]] = set()
        self._idle_since = time.monotonic()
        self.stop_requested = asyncio.Event()

    @property
    def idle_seconds(self) -> float:
        """How long there has been no connection."""
        return 0.0 if self._lines else time.monotonic() - self._idle_since

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until it ends."""
        task = asyncio.current_task()
        if task is not None:
            self._lines.add(task)
            task.add_done_callback(self._left)
        with suppress(OSError, ValueError, KeyError, TypeError, asyncio.CancelledError):
            request = json.loads(await reader.readline())
            if "stop" in request:
                self.stop_requested.set()
                await asyncio.Event().wait()  # until `close`, so that the client can wait for it
            await self._hold(request["open"], reader, writer)
        writer.close()

    async def close(self) -> None:
        """End every connection and with it every door."""
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _hold(
        self, request: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        try:
            models = self._resources.catalogue.choose(request["models"])
            refuse_unpriced(self._resources.gateway.ledger.caps, models)
        except ConfigError as error:
            await _send(writer, {"error": str(error)})
            return
        door = await self._resources.gateway.open(
            self._resources.caller(str(request["cell"]), models)
        )
        try:
            await _send(writer, {"door": str(door.path)})
            await reader.read()
        finally:
            await self._resources.gateway.close(door)

    def _left(self, line: asyncio.Task[None]) -> None:
        self._lines.discard(line)
        self._idle_since = time.monotonic()


async def serve(
    run_dir: Path, starter: int, ready: Callable[[], None], *, idle_seconds: float = 5.0
) -> None:
    """Keep a gateway for `run_dir` until nobody needs it; call `ready` when it listens.

    It ends on request, and by itself when there has been no connection for `idle_seconds` and the
    process `starter` has ended.

    Raises:
        GatewayError: the configuration is wrong, or another gateway holds the directory.
        OSError: its files cannot be written.
    """
    folder = run_dir / beside.FOLDER
    async with AsyncExitStack() as stack:
        await _only_writer(folder, stack)
        resources = await _open_resources(run_dir, folder, stack)
        control = Control(resources)
        path = stack.enter_context(socket_folder.opened()) / "control"
        server = await asyncio.start_unix_server(control.serve, path)
        stack.push_async_callback(control.close)
        stack.callback(server.close)
        _announce(folder, path)
        stack.callback((folder / beside.ADDRESS_FILE).unlink, missing_ok=True)
        ready()
        await _until_unneeded(control, starter, idle_seconds)


async def _only_writer(folder: Path, stack: AsyncExitStack) -> None:
    """Hold the lock of the one process that writes here, waiting for one that is ending."""
    lock = stack.enter_context((folder / _WRITER_LOCK).open("ab"))
    deadline = time.monotonic() + _WAIT_FOR_WRITER_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise GatewayError(
                    f"Another gateway holds {folder} but does not answer; end it and run the "
                    "command again."
                ) from None
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return


async def _open_resources(run_dir: Path, folder: Path, stack: AsyncExitStack) -> Resources:
    catalogue = entry_files.load()
    ledger = Ledger(caps.of_environment(os.environ), spent=spent_on(folder))
    rows = stack.enter_context(Appender(folder / LEDGER))
    journal = FileJournal(folder / ATTEMPTS)
    stack.push_async_callback(journal.close)
    cache = Cache(default_path()) if uses_cache(os.environ) else None
    if cache is not None:
        stack.callback(cache.close)
    gateway = await stack.enter_async_context(Gateway(ledger=ledger, redact=catalogue.redactor()))
    return Resources(
        plan=run_dir.name, gateway=gateway, catalogue=catalogue, journal=journal, rows=rows,
        cache=cache,
    )  # fmt: skip


def _announce(folder: Path, control: Path) -> None:
    """Write, atomically, the file by which clients find this process."""
    address = {"pid": os.getpid(), "control": str(control)}
    new = folder / f"{beside.ADDRESS_FILE}.new"
    new.write_text(json.dumps(address), encoding="utf-8")
    new.replace(folder / beside.ADDRESS_FILE)


async def _until_unneeded(control: Control, starter: int, idle_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(kind, control.stop_requested.set)
    process = None
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(starter)
    while control.idle_seconds < idle_seconds or _lives(process):
        with suppress(TimeoutError):
            await asyncio.wait_for(control.stop_requested.wait(), _POLL_SECONDS)
            return


def _lives(process: psutil.Process | None) -> bool:
    try:
        return (
            process is not None
            and process.is_running()
            and process.status() != psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return False


async def _send(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(to_line(message))
    await writer.drain()
