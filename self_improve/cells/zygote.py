"""Imports one code tree once, then forks a killable child for every cell.

Started as `python -P -m self_improve.cells.zygote_start CODE HOST_TOML SPEED`. It reads orders as
JSON lines from its standard input, and writes what happens to its standard output; it ends with its
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
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from pydantic import BaseModel

from model_gateway import door, kernel
from self_improve.cells import cell, cell_process, warm_up
from self_improve.errors import ImproveError, located
from self_improve.host import lazy_imports, reachable_surfaces, surfaces, task_graph
from self_improve.host.contract import Host, load

_NO_DOOR = "http://127.0.0.1:9/no-cell"


def describe(host: Host, speed: str) -> dict[str, Any]:
    """Return the host's steps and prompt surfaces as plain JSON values.

    The tasks are made for an empty directory: some hosts insist that there is one.
    """
    with tempfile.TemporaryDirectory(prefix="plumbline-plan-") as plan:
        steps = _walked(host, speed, plan)
        found = surfaces.find(host)
        return {
            "steps": [_step(step, host, found, Path(plan)) for step in steps.values()],
            "surfaces": [surface.to_row() for surface in found.values()],
        }


def _walked(host: Host, speed: str, plan: str) -> dict[str, task_graph.HostTask]:
    """Make all tasks of the host for the directory `plan`, which imports what they need."""
    return task_graph.walk(task_graph.roots(host, run_dir=plan, model="none", speed=speed))


def _load(host: Host, speed: str) -> None:
    """Import the host, with what it would import only when its steps run."""
    with tempfile.TemporaryDirectory(prefix="plumbline-plan-") as plan:
        _walked(host, speed, plan)
    lazy_imports.load(host)


def _apart(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what `work` gives in a process of its own, whose memory no cell then shares.

    Reading all sources of a host takes several megabytes that Python does not give back.

    Raises:
        ImproveError: it failed; the message is that of the failure.
    """
    ours, theirs = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(ours)
            with os.fdopen(theirs, "wb") as pipe:
                pipe.write(json.dumps(_told(work)).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        data = pipe.read()
    os.waitpid(pid, 0)
    told: dict[str, Any] = json.loads(data or b'{"refused": "it ended without a word"}')
    if "refused" in told:
        raise ImproveError(told["refused"])
    return told


def _told(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    try:
        return work()
    except ImproveError as error:
        return {"refused": str(error)}
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the host's code may raise anything
        return {"refused": located(error)}


def _step(
    step: task_graph.HostTask, host: Host, found: dict[str, surfaces.Surface], plan: Path
) -> dict[str, Any]:
    kind = type(step.task)
    reached = reachable_surfaces.from_step(kind, host, found)
    return {
        "name": step.name,
        "task": f"{kind.__module__}:{kind.__qualname__}",
        "way": step.way,
        "upstream": step.upstream,
        "inputs": _relative(task_graph.inputs(step.task), plan),
        "outputs": _relative(task_graph.outputs(step.task), plan),
        "given": task_graph.is_given(step.task),
        "calls_model": reached.calls_model,
        "surfaces": sorted(reached.surfaces) if reached.calls_model else [],
    }


def _relative(paths: list[Path], plan: Path) -> list[str]:
    """Return names inside the plan; a path outside it stays absolute, so that it can be told."""
    return [str(p.relative_to(plan)) if p.is_relative_to(plan) else str(p) for p in paths]


class _Zygote:
    def __init__(self, host: Host, code: Path, control: int) -> None:
        self._host = host
        self._code = code
        self._control = control
        self._live: dict[int, cell.CellRequest] = {}
        self._rest = b""
        self._recipes: dict[tuple[int, ...], task_graph.Recipe | None] = {}
        self._surfaces: dict[str, list[str]] = {}

    def know(self, steps: list[dict[str, Any]]) -> None:
        """Take note of the surfaces that each step reaches."""
        self._surfaces = {step["name"]: step["surfaces"] for step in steps}

    def serve(self) -> None:
        """Follow orders until the input ends; then no child is left alive."""
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

    def tell(self, **event: Any) -> None:
        """Write one event."""
        data = json.dumps(event).encode() + b"\n"
        while data:
            data = data[os.write(self._control, data) :]

    def _read(self) -> bool:
        data = os.read(0, 1 << 20)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if "start" in order:
                self._start(cell.CellRequest.from_row(order["start"]))
            elif "kill" in order:
                self._kill(order["kill"])
        return bool(data)

    def _start(self, order: cell.CellRequest) -> None:
        recipe = self._recipe(order)
        pid = os.fork()
        if pid == 0:
            self._be_cell(order, recipe)
        self._live[pid] = order
        self.tell(started=order.id, pid=pid)

    def _recipe(self, order: cell.CellRequest) -> task_graph.Recipe | None:
        """Find out once for each step how its task is made without all that lead to it."""
        if order.way not in self._recipes:
            self._recipes[order.way] = None
            with suppress(Exception):  # Then the cell goes the whole way, and tells what is wrong.
                found = task_graph.recipe(self._host, order.way, order.speed)
                self._recipes[order.way] = found
                if found is not None:
                    self._make_schemas(order.step)
            gc.collect()
            gc.freeze()
        return self._recipes[order.way]

    def _make_schemas(self, step: str) -> None:
        """Make the schemas that cells of this step send, so that all of them share one copy."""
        for surface_id in self._surfaces.get(step, ()):
            module, _, name = surface_id.partition(":")
            model = vars(sys.modules[module]).get(name.partition(".")[0])
            if isinstance(model, type) and issubclass(model, BaseModel):
                door.schema_of(model)

    def _be_cell(self, order: cell.CellRequest, recipe: task_graph.Recipe | None) -> NoReturn:
        """Live as a cell: a session of its own, its own log, no part in the control channel."""
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.setsid()
            kernel.die_with_parent()
            kernel.adopt_orphans()
            os.close(self._control)
            folder = Path(order.folder)
            empty = os.open(os.devnull, os.O_RDONLY)
            log = os.open(folder / cell.LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(empty, 0)
            os.dup2(log, 1)
            os.dup2(log, 2)
            result = cell_process.run(order, self._host, self._code, recipe)
            with suppress(ValueError, OSError):  # The step may have closed it.
                sys.stdout.flush()
            if result.error is not None:
                cell.write_result(result, folder)
            status = cell.FINISHED if result.error is None else 1
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Tell of the cells that have ended, and end what they have left running."""
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
        for order, code in ended:
            if code != cell.FINISHED:
                with suppress(OSError):
                    cell.write_death(code, Path(order.folder))
            self.tell(ended=order.id, status=code)

    def _kill_orphans(self) -> None:
        """Kill the children that are no cells: they left the session of a cell that has ended."""
        for pid in _children():
            if pid not in self._live:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _kill(self, cell_id: str) -> None:
        for pid, order in self._live.items():
            if order.id == cell_id:
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


def main() -> int:
    """Serve the code tree, the host file and the speed named on the command line."""
    code, host_file, speed = Path(sys.argv[1]).resolve(), Path(sys.argv[2]), sys.argv[3]
    # The host may print while it is imported; only this process writes to the control channel.
    control = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command to handle.
    sys.path.insert(0, str(code))
    os.chdir(code)
    host = load(host_file)
    # Code that makes its clients when it is imported needs addresses and keys to exist then.
    os.environ.update(cell_process.environment(host, speed, url=_NO_DOOR))
    zygote = _Zygote(host, code, control)
    try:
        _load(host, speed)
        described = _apart(lambda: describe(host, speed))
        zygote.know(described["steps"])
        cell_process.refuse_foreign_modules(host, code)
    except ImproveError as error:
        zygote.tell(refused=str(error))
        return 2
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the host's code may raise anything
        zygote.tell(refused=located(error))
        return 2
    faulthandler.enable()  # A crash of a cell leaves its traceback in the cell's log.
    warm_up.warm_door()
    if host.uses_gateway_url:
        warm_up.warm_sdks()
    gc.collect()
    gc.freeze()
    sys.stdout.flush()  # What the host printed must not be printed again by every cell.
    # The orphans of a cell are its own children while it lives, and then the zygote's.
    kernel.adopt_orphans()
    zygote.tell(ready=os.getpid(), **described)
    zygote.serve()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
