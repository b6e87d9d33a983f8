"""For runs without a runner: finds or starts the one gateway process beside a run directory.

Stand-alone `worker_plan` and plain `luigi`, whose workers may be several processes, all find the
same gateway through a small file in the run directory.
"""

from __future__ import annotations

import fcntl
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from model_gateway.call import R
from model_gateway.door import Door, DoorReply, ExchangeEnd, Question, from_environment
from model_gateway.errors import ConfigError, DoorError
from model_gateway.exits import RESUME
from model_gateway.foreign_files import read_bytes
from model_gateway.head_start import HeadStart
from model_gateway.line_connection import LineConnection

FOLDER = ".gateway"
ADDRESS_FILE = "gateway.json"
LOG = "log.txt"

_START_LOCK = "start.lock"
_TRIES = 3


@contextmanager
def door_for(cell: str, models: Sequence[str], run_dir: Path) -> Iterator[Door]:
    """Open a door for the calls of `cell` to `models` (the first, then fallbacks) and close it.

    Inside a runner's cell, where MODEL_GATEWAY names a door, this yields that door. Otherwise the
    gateway beside `run_dir` opens one, and is started if need be. Its files are in
    `run_dir/.gateway/`.

    Raises:
        ConfigError: a model is unknown, or a setting is wrong.
        DoorError: the gateway could not be started; the message names its log.
    """
    door = from_environment()
    if door is not None:
        yield door
        return
    with ExitStack() as stack:
        yield _DoorBeside(lambda: _held_door(run_dir, cell, models, stack))


class _DoorBeside(Door):
    """A door of the gateway beside a run directory, which is started again once if it dies.

    The new gateway replays what the old one had recorded, so that no finished call is repeated.
    """

    def __init__(self, open_path: Callable[[], Path]) -> None:
        super().__init__(open_path())
        self._open_path = open_path
        self._lock = threading.Lock()
        self._restarts_left = 1

    def exchange_parsed(self, question: Question, schema: type[R]) -> DoorReply[R]:
        """Do as a `Door`, twice if the gateway dies.

        Raises:
            DoorError: there is no gateway, or it died again.
        """
        path = self._path
        try:
            return super().exchange_parsed(question, schema)
        except DoorError as error:
            self._reopen(path, error)
        return super().exchange_parsed(question, schema)

    def exchange(self, question: Question) -> ExchangeEnd:
        """Do as a `Door`, twice if the gateway dies.

        Raises:
            DoorError: there is no gateway, or it died again.
        """
        path = self._path
        try:
            return super().exchange(question)
        except DoorError as error:
            self._reopen(path, error)
        return super().exchange(question)

    def _reopen(self, path: Path, error: DoorError) -> None:
        """Have another gateway started, unless another thread has done so since `path` failed."""
        with self._lock:
            if self._path != path:
                return
            if not self._restarts_left:
                raise DoorError(f"{error} It had been started again before. {RESUME}") from error
            self._restarts_left -= 1
            self._path = self._open_path()


def _held_door(run_dir: Path, cell: str, models: Sequence[str], stack: ExitStack) -> Path:
    """Open a door that closes with `stack`; it closes with its connection, even after a kill -9."""
    connection, path = _open_door(run_dir, cell, models)
    stack.enter_context(connection)
    return path


def begin(run_dir: Path, head_start: HeadStart) -> None:
    """Make the process the gateway beside `run_dir`, unless there is one or it cannot be.

    This only saves time: a call that finds no gateway starts one. Inside a runner's cell, which
    has a door already, this does nothing.

    Raises:
        DoorError: the gateway's files cannot be written.
    """
    if from_environment() is not None:
        return
    folder = run_dir.absolute() / FOLDER
    with _locked(folder):
        connection = _connect(folder)
        if connection is None:
            head_start.become(folder.parent)
        else:
            connection.close()


def stop(run_dir: Path) -> bool:
    """Stop the gateway beside `run_dir` now; return whether there was one."""
    connection = _connect(run_dir / FOLDER)
    if connection is None:
        return False
    with connection, suppress(OSError):
        connection.send({"stop": True})
        while connection.receive() is not None:
            pass
    return True


def _open_door(run_dir: Path, cell: str, models: Sequence[str]) -> tuple[LineConnection, Path]:
    """Return the connection on which the gateway keeps a door open, and the door's path."""
    folder = run_dir.absolute() / FOLDER
    for _ in range(_TRIES):
        with _locked(folder):
            connection = _connect(folder) or _start(folder, models)
        answer = None
        with suppress(OSError):
            connection.send({"open": {"cell": cell, "models": list(models)}})
            answer = connection.receive()
        if answer is not None and "door" in answer:
            return connection, Path(answer["door"])
        connection.close()
        if answer is not None:
            raise ConfigError(answer["error"])
        # That gateway was about to end; the next one waits until it is gone.
    raise DoorError(
        f"The model gateway ends as soon as it is started; see {folder / LOG}. {RESUME}"
    )


def _connect(folder: Path) -> LineConnection | None:
    """Return a connection to the gateway that the address file names, if it answers."""
    try:
        return LineConnection(Path(json.loads(read_bytes(folder / ADDRESS_FILE))["control"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _start(folder: Path, models: Sequence[str]) -> LineConnection:
    """Start a gateway that outlives this process's tasks, and wait until it listens."""
    answer: dict[str, Any] = {}
    with suppress(OSError), HeadStart(models) as process:
        answer = process.become(folder.parent)
    if "error" in answer:
        raise ConfigError(answer["error"])
    connection = _connect(folder) if "ready" in answer else None
    if connection is None:
        raise DoorError(f"The model gateway could not be started; see {folder / LOG}. {RESUME}")
    return connection


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock under which a gateway is looked for and started."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _START_LOCK).open("ab")
    except OSError as error:
        raise DoorError(f"The gateway's files cannot be written to {folder}: {error}") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
