"""For runs without a runner: finds or starts the one gateway process beside a run directory.

Stand-alone `worker_plan` and plain `luigi`, whose workers may be several processes, all find the
same gateway through a small file in the run directory.
"""

from __future__ import annotations

import fcntl
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from model_gateway.door import Door, from_environment
from model_gateway.errors import ConfigError, DoorError
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
    connection, path = _open_door(run_dir, cell, models)
    # The door closes with this connection, even after a kill -9.
    with connection:
        yield Door(path)


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
    raise DoorError(f"The model gateway ends as soon as it is started; see {folder / LOG}.")


def _connect(folder: Path) -> LineConnection | None:
    """Return a connection to the gateway that the address file names, if it answers."""
    try:
        return LineConnection(Path(json.loads((folder / ADDRESS_FILE).read_bytes())["control"]))
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
        raise DoorError(f"The model gateway could not be started; see {folder / LOG}.")
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
