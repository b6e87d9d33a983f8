"""For runs without a runner: finds or starts the one gateway process beside a run directory.

Stand-alone `worker_plan` and plain `luigi`, whose workers may be several processes, all come to
the same gateway through a small file in the run directory.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Self

from model_gateway.door import Door, from_environment
from model_gateway.errors import ConfigError, DoorError
from model_gateway.head_start import HeadStart

FOLDER = ".gateway"
FOUND_BY = "gateway.json"
LOG = "log.txt"

_START_LOCK = "start.lock"
_TRIES = 3


@contextmanager
def door_for(cell: str, models: Sequence[str], run_dir: Path) -> Iterator[Door]:
    """Open a door for the calls of `cell` to `models` (the first, then fallbacks) and close it.

    Inside a runner's cell, where MODEL_GATEWAY names a door, that door is given and nothing else
    happens. Otherwise the gateway beside `run_dir` opens one, and is started if need be. Its
    files lie in `run_dir/.gateway/`.

    Raises:
        ConfigError: a model is unknown, or a setting is wrong.
        DoorError: the gateway could not be started; the message names its log.
    """
    given = from_environment()
    if given is not None:
        yield given
        return
    line = _line_to_gateway(run_dir, {"open": {"cell": cell, "models": list(models)}})
    try:
        yield Door(Path(line.heard["door"]))
    finally:
        # The door lives as long as this connection, so that it closes even after a kill -9.
        line.close()


def begin(run_dir: Path, head_start: HeadStart) -> None:
    """Make the process the gateway beside `run_dir`, unless there is one or it cannot be.

    It is no more than a head start: whoever needs a gateway that is not there starts it. Inside a
    runner's cell, which has a door already, nothing is done.

    Raises:
        DoorError: the gateway's files cannot be written.
    """
    if from_environment() is not None:
        return
    folder = run_dir.absolute() / FOLDER
    with _locked(folder):
        line = _connected(folder)
        if line is None:
            head_start.become(folder.parent)
        else:
            line.close()


def stop(run_dir: Path) -> bool:
    """End the gateway beside `run_dir` now; return whether there was one."""
    line = _connected(run_dir / FOLDER)
    if line is None:
        return False
    with line:
        line.say({"stop": True})
        while line.hear() is not None:
            pass
    return True


class _Line:
    """A connection to the gateway's control socket: one JSON object a line, both ways."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines: BinaryIO = connection.makefile("rb")
        self.heard: dict[str, Any] = {}

    def say(self, message: dict[str, Any]) -> None:
        with suppress(OSError):  # A gateway that has gone is noticed when nothing is heard.
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any] | None:
        """Return what the gateway says, or None when it has gone."""
        try:
            line = self._lines.readline()
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        self.heard = json.loads(line)
        return self.heard

    def close(self) -> None:
        self._lines.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _line_to_gateway(run_dir: Path, request: dict[str, Any]) -> _Line:
    """Return the connection on which `request` was granted."""
    folder = run_dir.absolute() / FOLDER
    for _ in range(_TRIES):
        with _locked(folder):
            line = _connected(folder) or _started(folder, request["open"]["models"])
        line.say(request)
        heard = line.hear()
        if heard is None:
            # It was about to end when we came; the next one waits until it is gone.
            line.close()
            continue
        if "error" in heard:
            line.close()
            raise ConfigError(heard["error"])
        return line
    raise DoorError(f"The model gateway ends as soon as it is started; see {folder / LOG}.")


def _connected(folder: Path) -> _Line | None:
    """Return a connection to the gateway that the file names, if it answers."""
    try:
        control = json.loads((folder / FOUND_BY).read_bytes())["control"]
        connection = socket.socket(socket.AF_UNIX)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        connection.connect(control)
    except OSError:
        connection.close()
        return None
    return _Line(connection)


def _started(folder: Path, models: Sequence[str]) -> _Line:
    """Start a gateway that outlives this process's tasks, and wait until it listens."""
    try:
        with HeadStart(models) as process:
            told = process.become(folder.parent)
    except OSError:
        told = {}
    if "error" in told:
        raise ConfigError(told["error"])
    line = _connected(folder) if "ready" in told else None
    if line is None:
        raise DoorError(f"The model gateway could not be started; see {folder / LOG}.")
    return line


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock under which a gateway is looked for and started."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = os.open(folder / _START_LOCK, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise DoorError(f"The gateway's files cannot be written to {folder}: {error}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
