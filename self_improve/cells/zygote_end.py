"""The zygote's end of its line to the command: JSON objects, one a line, over a pair of sockets."""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

_CHUNK = 1 << 18


class ZygoteEnd:
    """The zygote's end; everything waits."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._rest = b""

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def send(self, event: dict[str, Any], *, listener: socket.socket | None = None) -> None:
        """Send one event, and a listening socket with it."""
        data = json.dumps(event).encode() + b"\n"
        try:
            if listener is not None:
                socket.send_fds(self._socket, [data[:1]], [listener.fileno()])
                data = data[1:]
            self._socket.sendall(data)
        except OSError as error:  # The command has ended, or the host's code has closed the line.
            sys.stderr.write(f"The line to the command is closed: {error.strerror}.\n")
            sys.stderr.flush()
            os._exit(2)

    def receive(self) -> list[dict[str, Any]] | None:
        """Wait for commands and return them; None when the command has closed its end."""
        data = self._socket.recv(_CHUNK)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines] if data else None

    def close(self) -> None:
        """Close it in a forked process."""
        self._socket.close()
