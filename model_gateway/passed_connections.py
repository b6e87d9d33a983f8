"""Connections to a door from processes that may connect to nothing: they are passed, not made.

A cell makes a pair of sockets and passes one over a channel that it was started with, beside a
token that names its door. The channel is shared by all cells of a zygote; only the token, which
nobody can guess, says whose call it is.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

from model_gateway.line_connection import PASSED

_LONGEST_TOKEN = 64
_SIZE = struct.calcsize("i")

Adopt = Callable[[socket.socket], None]


class PassedConnections:
    """The receiving end of a channel. Each connection goes to the door that its token names."""

    def __init__(self) -> None:
        self._ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        self._doors: dict[str, Adopt] = {}
        self._descriptor = self._theirs.fileno()

    @property
    def other(self) -> int:
        """The descriptor of the sending end, which a child process inherits under this number."""
        return self._descriptor

    def handed_over(self) -> None:
        """Close the sending end here, and listen; the child has it."""
        self._theirs.close()
        asyncio.get_running_loop().add_reader(self._ours, self._receive)

    def offer(self, adopt: Adopt) -> str:
        """Return the address of a new door, for whose connections `adopt` is called."""
        token = secrets.token_urlsafe(18)
        self._doors[token] = adopt
        return f"{PASSED}:{self._descriptor}:{token}"

    def withdraw(self, address: str) -> None:
        """Take no more connections for a door."""
        self._doors.pop(address.rpartition(":")[2], None)

    def close(self) -> None:
        """Close the channel."""
        with suppress(RuntimeError):  # There is no event loop any more.
            asyncio.get_running_loop().remove_reader(self._ours)
        self._ours.close()

    def _receive(self) -> None:
        try:
            data, extras, _, _ = self._ours.recvmsg(_LONGEST_TOKEN, socket.CMSG_SPACE(_SIZE))
        except BlockingIOError:
            return
        except OSError:
            data, extras = b"", []
        descriptors = [
            number
            for level, kind, content in extras
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
            for (number,) in struct.iter_unpack("i", content[: len(content) // _SIZE * _SIZE])
        ]
        if not data and not descriptors:
            asyncio.get_running_loop().remove_reader(self._ours)
            return
        adopt = self._doors.get(data.decode("ascii", "replace"))
        for number in descriptors:
            if adopt is None or not _is_a_stream(number):
                os.close(number)
            else:
                connection = socket.socket(fileno=number)
                connection.setblocking(False)
                adopt(connection)


def _is_a_stream(descriptor: int) -> bool:
    """Whether it is one end of a pair of sockets, and nothing else that can be passed."""
    try:
        with socket.socket(fileno=os.dup(descriptor)) as looked_at:
            return looked_at.family == socket.AF_UNIX and looked_at.type == socket.SOCK_STREAM
    except OSError:
        return False
