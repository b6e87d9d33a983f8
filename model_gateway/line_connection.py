"""A connection to a gateway's socket: one JSON object a line, both ways."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any, Self

PASSED = "passed"
"""With this word begins the address of a door that takes only connections passed to it."""


def to_line(message: dict[str, Any]) -> bytes:
    """Return `message` as a line; ensure_ascii keeps lone surrogates from breaking the wire."""
    return json.dumps(message).encode() + b"\n"


def _connected(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection


def _passed(address: str) -> socket.socket:
    """Make a pair of sockets, and pass one of them with the token of the door."""
    _, channel, token = address.split(":")
    ours, theirs = socket.socketpair()
    try:
        with theirs, socket.socket(fileno=os.dup(int(channel))) as sender:
            socket.send_fds(sender, [token.encode()], [theirs.fileno()])
    except (OSError, ValueError) as error:
        ours.close()
        raise OSError(f"the channel to the gateway is gone: {error}") from error
    return ours


class LineConnection:
    """The client's end, a context manager.

    Every method raises OSError when the gateway is gone.
    """

    def __init__(self, path: Path) -> None:
        is_passed = path.name.startswith(f"{PASSED}:")
        self._connection = _passed(path.name) if is_passed else _connected(path)
        self._lines = self._connection.makefile("rb")

    def send(self, message: dict[str, Any]) -> None:
        """Send one message."""
        self._connection.sendall(to_line(message))

    def receive(self) -> dict[str, Any] | None:
        """Return the next message, or None when the gateway closed the connection."""
        line = self._lines.readline()
        message: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
        return message

    def close(self) -> None:
        """Close it; a door that it held open closes too."""
        self._lines.close()
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
