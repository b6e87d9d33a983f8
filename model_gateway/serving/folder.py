"""The folder of one server, through which its keeper and the commands that use it agree.

`claim` is locked as long as somebody keeps the server. `in_use` is locked, together with others,
during each call, and its time is that of the last one. The kernel ends locks with their process, so
nothing that is killed can block or leak a server.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from model_gateway.errors import GatewayError

_TAIL_BYTES = 8_192


class Phase(StrEnum):
    """How far a server is."""

    starting = "starting"
    ready = "ready"
    failed = "failed"
    ended = "ended"


@dataclass(frozen=True, kw_only=True)
class ServerState:
    """What a server's keeper says of it.

    `generation` names the keeper; `starts` counts how often it started the server. `ours` says that
    the entry or the machine is at fault, not the server.
    """

    generation: str
    phase: Phase
    starts: int = 0
    port: int = 0
    pid: int | None = None
    reason: str = ""
    ours: bool = False


class ServerFolder:
    """The files of one server.

    Raises:
        GatewayError: the folder belongs to another user.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.stat().st_uid != os.getuid():
            raise GatewayError(
                f"{path} belongs to another user. Set XDG_CACHE_HOME to a folder of yours."
            )
        self.plan = path / "plan.json"
        self.log = path / "log.txt"
        self._claim = path / "claim"
        self._in_use = path / "in_use"
        self._state = path / "state.json"

    def state(self) -> ServerState | None:
        """Return what the keeper said last, or None if nobody ever did."""
        try:
            row = json.loads(self._state.read_text(encoding="utf-8"))
            return ServerState(**{**row, "phase": Phase(row["phase"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def tell(self, state: ServerState) -> None:
        """Replace the state in one step."""
        new = self._state.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(asdict(state)), encoding="utf-8")
        new.replace(self._state)

    def claim(self) -> int | None:
        """Take the claim; return the file that holds it until it is closed, or None."""
        return _locked(self._claim, fcntl.LOCK_EX)

    def is_claimed(self) -> bool:
        """Whether somebody keeps the server."""
        lock = _locked(self._claim, fcntl.LOCK_SH)
        if lock is not None:
            os.close(lock)
        return lock is None

    @contextmanager
    def using(self) -> Iterator[bool]:
        """Keep the server from being ended during the block; False if it is being ended now."""
        lock = _locked(self._in_use, fcntl.LOCK_SH)
        try:
            self.touch()
            yield lock is not None
        finally:
            self.touch()
            if lock is not None:
                os.close(lock)

    def no_longer_used(self) -> int | None:
        """Keep others from using it; return the file that holds that, or None if it is in use."""
        return _locked(self._in_use, fcntl.LOCK_EX)

    def touch(self, at: float | None = None) -> None:
        """Note that it is used now, or was at another time."""
        with suppress(OSError):
            self._in_use.touch(mode=0o600)
            os.utime(self._in_use, None if at is None else (at, at))

    def last_used(self) -> float:
        """Return when it was last used, in seconds since 1970."""
        try:
            return self._in_use.stat().st_mtime
        except OSError:
            return 0.0

    def last_words(self, lines: int = 5) -> str:
        """Return the end of the server's log."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, self.log.stat().st_size - _TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except OSError:
            return ""
        return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-lines:])


def _locked(path: Path, kind: int) -> int | None:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        return None
    return file
