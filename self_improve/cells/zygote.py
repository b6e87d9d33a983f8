"""Imports one code tree once, then forks a killable child for every cell.

Started as `python -P -m self_improve.cells.zygote_start CODE HOST_TOML SPEED`. It reads commands
as JSON lines from its standard input, writes events to its standard output, and ends with its
input. It stays single-threaded, because forking a process with threads is unsafe.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel

from model_gateway import door, kernel
from self_improve.cells import cell, cell_process, warm_up
from self_improve.errors import ImproveError, located
from self_improve.host import description, task_graph
from self_improve.host.contract import Host, load

_NO_DOOR = "http://127.0.0.1:9/no-cell"
_ENDED_SILENTLY = b'{"refused": "its process ended without a message"}'


def main() -> int:
    """Serve the code tree, the host file and the speed named on the command line."""
    code, host_file, speed = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]
    # The host may print while it is imported; only this process writes to the control channel.
    control = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The command handles Ctrl-C.
    sys.path.insert(0, str(code))
    os.chdir(code)
    host = load(host_file)
    # Code that creates its clients when it is imported needs addresses and keys to exist then.
    os.environ.update(cell_process.environment(host, speed, url=_NO_DOOR))
    zygote = _Zygote(host, code, control)
    try:
        description.load(host, speed)
        described = _in_child(lambda: description.describe(host, speed))
        cell_process.refuse_foreign_modules(host, code)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the host's code may raise anything
        zygote.send(refused=_reason(error))
        return 2
    faulthandler.enable()  # A crash of a cell leaves its traceback in the cell's log.
    warm_up.warm_door()
    if host.uses_gateway_url:
        warm_up.warm_sdks()
    gc.collect()
    gc.freeze()
    sys.stdout.flush()  # Otherwise every cell would print again what the host has printed.
    # The orphans of a cell are its own children while it lives, and then the zygote's.
    kernel.adopt_orphans()
    zygote.send(ready=os.getpid(), **described)
    zygote.serve({step["name"]: step["surfaces"] for step in described["steps"]})
    return 0


def _in_child(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `work` returns in a child process, whose memory no cell then shares.

    Reading all sources of a host takes several megabytes that Python does not give back.

    Raises:
        ImproveError: it failed, with the message of the failure.
    """
    ours, theirs = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            try:
                result = work()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - as in main
                result = {"refused": _reason(error)}
            with os.fdopen(theirs, "wb") as pipe:
                pipe.write(json.dumps(result).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    answer: dict[str, Any] = json.loads(data or _ENDED_SILENTLY)
    if "refused" in answer:
        raise ImproveError(answer["refused"])
    return answer


def _reason(error: BaseException) -> str:
    return str(error) if isinstance(error, ImproveError) else located(error)


class _Zygote:
    def __init__(self, host: Host, code: Path, control: int) -> None:
        self._host = host
        self._code = code
        self._control = control
        self._live: dict[int, cell.CellRequest] = {}
        self._rest = b""
        self._recipes: dict[tuple[int, ...], task_graph.Recipe | None] = {}
        self._surfaces: dict[str, list[str]] = {}

    def serve(self, surfaces: dict[str, list[str]]) -> None:
        """Follow commands until the input ends; then no child is left alive.

        `surfaces` are the ids of those that each step reaches.
        """
        self._surfaces = surfaces
        awake, signalled = socket.socketpair()
        awake.setblocking(False)
        signalled.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(signalled.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            selector.register(0, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj == 0:
                        if not self._read():
                            self._kill_all()
                            return
                    else:
                        awake.recv(4096)
                self._reap()

    def send(self, **event: Any) -> None:
        """Send one event to the command."""
        data = json.dumps(event).encode() + b"\n"
        while data:
            data = data[os.write(self._control, data) :]

    def _read(self) -> bool:
        data = os.read(0, 1 << 20)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "start" in command:
                self._start(cell.CellRequest.from_row(command["start"]))
            elif "kill" in command:
                self._kill(command["kill"])
        return bool(data)

    def _start(self, request: cell.CellRequest) -> None:
        recipe = self._recipe(request)
        pid = os.fork()
        if pid == 0:
            self._be_cell(request, recipe)
        self._live[pid] = request
        self.send(started=request.id, pid=pid)

    def _recipe(self, request: cell.CellRequest) -> task_graph.Recipe | None:
        """Find out once per step how to create its task without all tasks on the way to it."""
        if request.route not in self._recipes:
            self._recipes[request.route] = None
            with suppress(Exception):  # Then the cell goes the whole way and reports the error.
                recipe = task_graph.recipe(self._host, request.route, request.speed)
                self._recipes[request.route] = recipe
                if recipe is not None:
                    self._build_schemas(request.step)
            gc.collect()
            gc.freeze()
        return self._recipes[request.route]

    def _build_schemas(self, step: str) -> None:
        """Build the schemas that cells of this step send, so that all of them share one copy."""
        for surface_id in self._surfaces.get(step, ()):
            module, _, name = surface_id.partition(":")
            model = vars(sys.modules[module]).get(name.partition(".")[0])
            if isinstance(model, type) and issubclass(model, BaseModel):
                door.schema_of(model)

    def _be_cell(self, request: cell.CellRequest, recipe: task_graph.Recipe | None) -> NoReturn:
        """Run as a cell: in its own session, with its own log, without the control channel."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.setsid()
            kernel.die_with_parent()
            kernel.adopt_orphans()
            os.close(self._control)
            folder = Path(request.folder)
            empty = os.open(os.devnull, os.O_RDONLY)
            log = os.open(folder / cell.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(empty, 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            result = cell_process.run(request, self._host, self._code, recipe)
            with suppress(ValueError, OSError):  # The step may have closed it.
                sys.stdout.flush()
            if result.error is not None:
                cell.write_result(result, folder)
            status = cell.FINISHED if result.error is None else 1
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Report the cells that have ended, and kill what they have left running."""
        ended: list[tuple[cell.CellRequest, int]] = []
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid in self._live:
                    with suppress(ProcessLookupError, PermissionError):
                        os.killpg(pid, signal.SIGKILL)
                    ended.append((self._live.pop(pid), os.waitstatus_to_exitcode(status)))
                elif pid == 0:
                    break
        self._kill_orphans()
        for request, code in ended:
            if code != cell.FINISHED:
                with suppress(OSError):
                    cell.write_death(code, Path(request.folder))
            self.send(ended=request.id, status=code)

    def _kill_orphans(self) -> None:
        """Kill children that are not cells: they left the session of a cell that has ended."""
        for pid in _children():
            if pid not in self._live:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _kill(self, cell_id: str) -> None:
        for pid, request in self._live.items():
            if request.id == cell_id:
                _kill_group(pid)

    def _kill_all(self) -> None:
        for pid in self._live:
            _kill_group(pid)
        self._live.clear()
        with suppress(ChildProcessError):
            while True:
                self._kill_orphans()
                os.waitpid(-1, 0)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        with suppress(ProcessLookupError):  # It was killed before it led a group.
            os.kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    """Return the children of this process, where the kernel lists them."""
    try:
        listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [int(pid) for pid in listed.split()]


if __name__ == "__main__":
    raise SystemExit(main())
