"""A connection to a gateway's socket: one JSON object a line, both ways."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, Self


def to_line(message: dict[str, Any]) -> bytes:
    """Return `message` as a line; ensure_ascii keeps lone surrogates from breaking the wire."""
    return json.dumps(message).encode() + b"\n"


class LineConnection:
    """The client's end, a context manager.

    Every method raises OSError when the gateway is gone.
    """

    def __init__(self, path: Path) -> None:
        self._connection = socket.socket(socket.AF_UNIX)
        try:
            self._connection.connect(str(path))
        except OSError:
            self._connection.close()
            raise
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
