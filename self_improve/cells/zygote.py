"""Imports one code tree once, then forks a killable child for every cell.

Started as `python -P -m self_improve.cells.zygote_start CONTROL CODE`; CONTROL is the descriptor of
its line to the command, whose first object says what to load and how to confine it. It ends when
the command closes the line. It stays single-threaded, because forking a process with threads is
unsafe.
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
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel

from model_gateway import door, kernel
from self_improve.cells import cell, cell_process, warm_up
from self_improve.cells.zygote_end import ZygoteEnd
from self_improve.errors import ImproveError, located
from self_improve.host import description, task_graph
from self_improve.host.contract import Host, load
from self_improve.sandbox import confinement, namespaces
from self_improve.sandbox.bounds import Bounds

_WAITING = 512
_NO_DOOR = "http://127.0.0.1:9/no-cell"
_ENDED_SILENTLY = b'{"refused": "its process ended without a message"}'


def main(line: ZygoteEnd, settings: Mapping[str, Any], apart: tuple[str, ...]) -> int:
    """Serve the code tree, the host file and the speed of the settings.

    `apart` says what of the sandbox is set up already.
    """
    code, host_file, speed = Path(settings["code"]), Path(settings["host"]), settings["speed"]
    os.dup2(2, 1)  # The host may print while it is imported.
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The command handles Ctrl-C.
    # The orphans of a cell are its own children while it lives, and then the zygote's.
    kernel.adopt_orphans()
    zygote = _Zygote(line, code)
    try:
        zygote.begin(settings, apart)
        sys.path.insert(0, str(code))
        os.chdir(code)
        zygote.host = host = load(host_file)
        # Code that creates its clients when it is imported needs addresses and keys to exist then.
        os.environ.update(cell_process.environment(host, speed, url=_NO_DOOR))
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
    zygote.kill_all()  # What the host has left running while it was imported.
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
    host: Host

    def __init__(self, line: ZygoteEnd, code: Path) -> None:
        self._code = code
        self._line = line
        self._bounds: Bounds | None = None
        self._room = Path()
        self._live: dict[int, cell.CellRequest] = {}
        self._recipes: dict[tuple[int, ...], task_graph.Recipe | None] = {}
        self._surfaces: dict[str, list[str]] = {}

    def begin(self, settings: Mapping[str, Any], apart: tuple[str, ...]) -> None:
        """Confine this process if the settings say so, and tell the command how.

        Raises:
            SandboxError: the kernel refuses; nothing of the host was imported.
        """
        if settings["bounds"] is None:
            self.send(sandbox=None)
            return
        self._bounds, self._room = Bounds.from_row(settings["bounds"]), Path(settings["room"])
        listener = None
        if settings["over_http"] and namespaces.NETWORK in apart:
            # Made here, in the network that the cells have, and served by the gateway outside.
            listener = socket.create_server(("127.0.0.1", 0), backlog=_WAITING)
        kind = confinement.confine(self._bounds, apart)
        self._line.send({"sandbox": kind}, listener=listener)
        if listener is not None:
            listener.close()

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
            selector.register(self._line, selectors.EVENT_READ)
            selector.register(awake, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._line:
                        if not self._read():
                            self.kill_all()
                            return
                    else:
                        awake.recv(4096)
                self._reap()

    def send(self, **event: Any) -> None:
        """Send one event to the command."""
        self._line.send(event)

    def _read(self) -> bool:
        commands = self._line.receive()
        for command in commands or ():
            if "start" in command:
                self._start(cell.CellRequest.from_row(command["start"]))
            elif "kill" in command:
                self._kill(command["kill"])
        return commands is not None

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
                recipe = task_graph.recipe(self.host, request.route, request.speed)
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
            self._line.close()
            folder = Path(request.folder)
            empty = os.open(os.devnull, os.O_RDONLY)
            log = os.open(folder / cell.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(empty, 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            # Opened before the cell is confined to the plan.
            with cell.result_file(folder) as file:
                if self._bounds is not None:
                    self._narrow(self._bounds, folder)
                result = cell_process.run(request, self.host, self._code, recipe)
                with suppress(ValueError, OSError):  # The step may have closed it.
                    sys.stdout.flush()
                if result.error is not None:
                    cell.write_result(result, file)
            status = cell.FINISHED if result.error is None else 1
        finally:
            os._exit(status)

    def _narrow(self, bounds: Bounds, folder: Path) -> None:
        """Confine a cell to its own plan and its own home."""
        home = folder / cell.HOME
        confinement.narrow(bounds.narrowed((folder / cell.PLAN, home), room=self._room))
        os.environ.update(dict.fromkeys(("HOME", "TMPDIR", "XDG_CACHE_HOME"), str(home)))
        tempfile.tempdir = None  # The host may have asked for it before, which keeps the answer.

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

    def kill_all(self) -> None:
        """Kill all cells, and whatever else this process has to wait for."""
        for pid in self._live:
            _kill_group(pid)
        self._live.clear()
        with suppress(ChildProcessError):
            while True:
                self._kill_orphans()
                # Where the kernel does not list them, one that lives is not waited for.
                if os.waitpid(-1, 0 if _children() else os.WNOHANG) == (0, 0):
                    break


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
