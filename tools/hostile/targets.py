"""What a hostile branch would like to reach, planted so that it shows when one gets there."""

from __future__ import annotations

import os
import secrets
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

VICTIM = """
import os, signal, sys, time
def signals(number, frame): open(sys.argv[1], "a").write(f"{number}\\n")
for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGTERM): signal.signal(number, signals)
print("ready", flush=True)
while True: time.sleep(60)
"""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """One run's targets. `secret` is what may not be read, `mark` what may not arrive anywhere."""

    folder: Path
    secret: str
    mark: str
    sinks: dict[str, socket.socket]
    victim: int

    @property
    def home(self) -> Path:
        """The home directory that the command has."""
        return self.folder / "home"

    @property
    def guarded(self) -> tuple[Path, ...]:
        """Directories in which nothing may change."""
        return (self.home, self.folder / "precious", self.folder / "worktree")

    def for_code(self, *, lab: Path, code: Path) -> dict[str, Any]:
        """Return where everything is, for the hostile code; the secret is left out."""
        return {
            "mark": self.mark, "victim": self.victim, "home": str(self.home), "code": str(code),
            "lab": str(lab), "folder": str(self.folder), "command": os.getpid(),
            "files": [str(path) for path in self._files()],
            "ports": {n: s.getsockname()[1] for n, s in self.sinks.items() if n[:4] in _BY_PORT},
            "socket": str(self.folder / "sink"), "abstract": f"sink-{self.mark}",
        }  # fmt: skip

    def _files(self) -> list[Path]:
        return [self.home / ".ssh" / "id_rsa", self.folder / "precious" / "scores.csv"]

    def arrived(self) -> int:
        """Return how many sinks were reached."""
        readable, _, _ = select.select(list(self.sinks.values()), [], [], 0)
        return len(readable)

    def signalled(self) -> int:
        """Return how many signals the victim got; one if it is gone."""
        signals = self.folder / "signals"
        count = len(signals.read_text().splitlines()) if signals.exists() else 0
        return count + (not psutil.pid_exists(self.victim))

    def left(self) -> list[int]:
        """Return the processes that carry the mark, and end them."""
        states = []
        for process in psutil.process_iter(["pid", "cmdline"]):
            if any(self.mark in word for word in process.info["cmdline"] or ()):
                states.append(process.info["pid"])
                with suppress(psutil.Error):
                    process.kill()
        return states

    def states(self) -> dict[str, Any]:
        """Return what is in the guarded directories, to see any change of it."""
        states: dict[str, Any] = {}
        for folder in self.guarded:
            for path in sorted([folder, *folder.rglob("*")]):
                state = path.lstat()
                facts = [state.st_mode, state.st_uid, state.st_nlink]
                if not path.is_dir() or path.is_symlink():
                    facts += [state.st_mtime_ns, state.st_size]
                states[str(path)] = facts
        return states


_BY_PORT = ("tcp4", "udp4", "tcp6")


@contextmanager
def planted(folder: Path) -> Iterator[Targets]:
    """Plant targets in an empty directory."""
    secret, mark = f"SECRET{secrets.token_hex(12)}", f"MARK{secrets.token_hex(8)}"
    for name in ("home/.ssh", "precious", "worktree", "tmp"):
        (folder / name).mkdir(parents=True)
    (folder / "home" / ".ssh" / "id_rsa").write_text(f"{secret}\n")
    (folder / "home" / ".bashrc").write_text("# mine\n")
    (folder / "precious" / "scores.csv").write_text(f"step,score,{secret}\n")
    (folder / "worktree" / "other.py").write_text(f"KEY = '{secret}'\n")
    sinks = _sinks(folder, mark)
    victim = subprocess.Popen(
        [sys.executable, "-c", VICTIM, str(folder / "signals")], stdout=subprocess.PIPE,
        env={"SECRET_OF_VICTIM": secret, "PATH": os.environ["PATH"]}, start_new_session=True,
    )  # fmt: skip
    assert victim.stdout is not None
    victim.stdout.readline()
    try:
        yield Targets(folder=folder, secret=secret, mark=mark, sinks=sinks, victim=victim.pid)
    finally:
        victim.send_signal(signal.SIGKILL)
        victim.wait()
        victim.stdout.close()
        for sink in sinks.values():
            sink.close()


def _sinks(folder: Path, mark: str) -> dict[str, socket.socket]:
    sinks = {
        "tcp4": socket.create_server(("127.0.0.1", 0)),
        "udp4": socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        "unix": socket.socket(socket.AF_UNIX),
        "unix-datagram": socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM),
        "abstract": socket.socket(socket.AF_UNIX),
    }
    sinks["udp4"].bind(("127.0.0.1", 0))
    sinks["unix"].bind(str(folder / "sink"))
    sinks["unix"].listen()
    sinks["unix-datagram"].bind(str(folder / "sink.datagram"))
    sinks["abstract"].bind(f"\0sink-{mark}")
    sinks["abstract"].listen()
    with suppress(OSError):
        sinks["tcp6"] = socket.create_server(("::1", 0), family=socket.AF_INET6)
    return sinks
