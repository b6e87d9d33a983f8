"""The process that keeps one server: starts it, restarts it once, and ends it when it is idle.

It belongs to no command, so that several can share the server; it ends by itself. It imports
little, because it stays in memory as long as the server does.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import psutil

from model_gateway import kernel
from model_gateway.serving.folder import Phase, ServerFolder, ServerState
from model_gateway.serving.plan import HOST, PORT, ServingPlan

MARK = "PLUMBLINE_SERVER"
_MOST_STARTS = 2
_LOOK_SECONDS = 0.1
_WATCH_SECONDS = 0.5
_SECONDS_TO_END = 10.0
_ANSWER_SECONDS = 5.0
_MEGABYTE = 1024 * 1024


class _FailedError(Exception):
    """The server cannot be kept; `ours` says that the entry or the machine is at fault."""

    def __init__(self, reason: str, *, ours: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.ours = ours


class _EndedError(Exception):
    """The server ended by itself."""


class Keeper:
    """Keeps one server. The claim on its folder is held by this process from its start."""

    def __init__(self, folder: ServerFolder, plan: ServingPlan, generation: str) -> None:
        self._folder = folder
        self._plan = plan
        self._process: subprocess.Popen[bytes] | None = None
        self._state = ServerState(generation=generation, phase=Phase.starting)

    def keep(self) -> None:
        """Serve until nobody has used the server for the time of the entry."""
        try:
            self._kill_marked()
            self._serve()
            self._tell(phase=Phase.ended)
        except _FailedError as failed:
            words = self._folder.last_words()
            reason = failed.reason + (
                f"; its log {self._folder.log} ends: {words}" if words else ""
            )
            self._end()
            self._tell(phase=Phase.failed, reason=reason, ours=failed.ours)
        finally:
            self._end()

    def _serve(self) -> None:
        for number in range(1, _MOST_STARTS + 1):
            self._tell(phase=Phase.starting, starts=number, port=0, pid=None)
            try:
                self._start(first=number == 1)
                self._watch()
            except _EndedError as ended:
                if number == _MOST_STARTS or self._state.phase is Phase.starting:
                    again = " again, after one restart" if number > 1 else " before it answered"
                    raise _FailedError(f"{ended}{again}", ours=number == 1) from ended
                self._end()
            else:
                return

    def _start(self, *, first: bool) -> None:
        """Start the server and wait until it answers."""
        port = self._plan.port
        if port and not _is_free(port):
            if first and self._plan.adopt and self._answers(port):
                self._tell(phase=Phase.ready, port=port, pid=None)
                return
            if self._wait_for_port(port):
                raise _FailedError(
                    f"port {port} is in use by another program; set [serve] port = 0 for any free "
                    "one, or end that program",
                    ours=True,
                )
        port = port or _free_port()
        words = [word.replace(PORT, str(port)) for word in self._plan.words]
        environment = {
            name: value.replace(PORT, str(port)) for name, value in self._plan.environment.items()
        }
        with self._folder.log.open("ab") as log:
            log.write(f"--- {time.strftime('%F %T')} {' '.join(words)}\n".encode())
            log.flush()
            try:
                self._process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    cwd=self._folder.path, start_new_session=True,
                    env={**environment, MARK: str(self._folder.path)},
                    preexec_fn=kernel.die_with_parent,  # noqa: PLW1509 - this process has one thread
                )  # fmt: skip
            except OSError as error:
                raise _FailedError(
                    f"{words[0]} cannot be started: {error.strerror}", ours=True
                ) from error
        self._tell(phase=Phase.starting, port=port, pid=self._process.pid)
        deadline = time.monotonic() + self._plan.ready_seconds
        while not self._answers(port):
            self._pause(_LOOK_SECONDS)
            if time.monotonic() > deadline:
                raise _FailedError(
                    f"it did not answer at {self._plan.ready} within [serve] ready_seconds = "
                    f"{self._plan.ready_seconds:g}"
                )
        self._folder.touch()
        self._tell(phase=Phase.ready)

    def _watch(self) -> None:
        """Return when nobody has used the server for long; raise if it ends before."""
        while True:
            self._pause(_WATCH_SECONDS)
            if time.time() - self._folder.last_used() < self._plan.idle_seconds:
                continue
            lock = self._folder.no_longer_used()
            if lock is None:
                self._folder.touch()  # A long call is a use of it, too.
                continue
            # Held to the end of this process: who wants the server now waits for another one.
            self._end()
            return

    def _pause(self, seconds: float) -> None:
        """Wait, but not longer than the server lives, and see how much memory it takes."""
        if self._process is None:
            time.sleep(seconds)
            if not _connects(self._state.port):
                raise _EndedError("the program at its port, which was not ours, has ended")
            return
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = self._process.wait(seconds)
            how = f"was ended by signal {-status}" if status < 0 else f"ended with code {status}"
            raise _EndedError(f"it {how}")
        used = _memory(self._process.pid) if self._plan.memory_mb else 0
        if self._plan.memory_mb and used > self._plan.memory_mb:
            raise _FailedError(
                f"it took {used} MB of memory, more than [serve] memory_mb = {self._plan.memory_mb}"
            )

    def _wait_for_port(self, port: int) -> bool:
        """Return whether the port stays in use; one that was just given up takes a moment."""
        deadline = time.monotonic() + 2.0
        while not _is_free(port):
            if time.monotonic() > deadline:
                return True
            time.sleep(_LOOK_SECONDS)
        return False

    def _answers(self, port: int) -> bool:
        connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_SECONDS)
        try:
            connection.request("GET", self._plan.ready)
            return connection.getresponse().status < 400
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _end(self) -> None:
        """End the server and all that it started; first by asking."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            _signal_group(process.pid, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_SECONDS_TO_END)
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()
        self._kill_marked()

    def _kill_marked(self) -> None:
        """Kill what an earlier server of this folder left."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == str(self._folder.path):
                    process.kill()

    def _tell(self, **changes: object) -> None:
        self._state = replace(self._state, **changes)  # type: ignore[arg-type]
        self._folder.tell(self._state)


def main(words: list[str]) -> int:
    """Keep the server of a folder, in whose name `words` are given; return 0."""
    path, generation = words
    if os.fork():
        return 0  # The command that started it need not reap it at the end.
    os.umask(0o077)
    for kind in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(kind, _stop)
    folder = ServerFolder(Path(path))
    Keeper(folder, ServingPlan.read(folder.plan), generation).keep()
    return 0


def _stop(*_: object) -> NoReturn:
    raise SystemExit(0)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _connects(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(_ANSWER_SECONDS)
        return probe.connect_ex((HOST, port)) == 0


def _memory(pid: int) -> int:
    """Return how many MB a process and all that it started take."""
    total = 0
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                total += process.memory_info().rss
    return total // _MEGABYTE


def _signal_group(pid: int, kind: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, kind)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
