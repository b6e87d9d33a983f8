"""The command's end of its line to a zygote: JSON objects, one a line, over a pair of sockets.

Code of the host may fork while it is imported, and its children then hold the zygote's end. So the
command's end asks the kernel who wrote each line, and believes the zygote alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import struct
from collections import deque
from typing import Any

_LONGEST_LINE = 64 * 1024 * 1024
_CHUNK = 1 << 18
_CREDENTIALS = struct.Struct("3i")
_ASKS_WHO = hasattr(socket, "SO_PASSCRED")
_ROOM = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * struct.calcsize("i"))


class BrokenControl(Exception):  # noqa: N818 - the zygote breaks it, not this program
    """The zygote sent something else than an event."""


class CommandEnd:
    """The command's end. `listener` is a socket that came with an event."""

    def __init__(self) -> None:
        self._socket, self._other = socket.socketpair()
        self._socket.setblocking(False)
        if _ASKS_WHO:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._writer: int | None = None
        self._rest = bytearray()
        self._events: deque[dict[str, Any]] = deque()
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._sending: asyncio.Task[None] | None = None
        self.listener: socket.socket | None = None

    @property
    def other(self) -> int:
        """The descriptor of the zygote's end, until `handed_over`."""
        return self._other.fileno()

    def handed_over(self) -> None:
        """Close the zygote's end here; a process that was started has it."""
        self._other.close()

    def send(self, command: dict[str, Any]) -> None:
        """Send a command soon; commands arrive in the order in which they were given."""
        self._unsent.put_nowait(json.dumps(command).encode() + b"\n")
        if self._sending is None:
            self._sending = asyncio.create_task(self._send())

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # Its end is noticed where events are received.
            while True:
                await loop.sock_sendall(self._socket, await self._unsent.get())

    async def receive(self) -> dict[str, Any] | None:
        """Return the next event, None when all that hold the zygote's end have closed it.

        Raises:
            BrokenControl: it sent something else.
        """
        while not self._events:
            if not await self._read():
                return None
        return self._events.popleft()

    async def _read(self) -> bool:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, extras, _, _ = self._socket.recvmsg(_CHUNK, _ROOM)
            except BlockingIOError:
                readable = loop.create_future()
                loop.add_reader(self._socket, _settle, readable)
                try:
                    await readable
                finally:
                    loop.remove_reader(self._socket)
                continue
            except OSError:
                return False
            if self._is_the_zygotes(extras):
                self._split(data)
            return bool(data)

    def _is_the_zygotes(self, extras: list[tuple[int, int, bytes]]) -> bool:
        """Whether the zygote wrote what came: the process that wrote first, before any host."""
        writer = self._writer
        for level, kind, data in extras:
            if level != socket.SOL_SOCKET:
                continue
            if _ASKS_WHO and kind == socket.SCM_CREDENTIALS:
                writer = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
            elif kind == socket.SCM_RIGHTS:
                self._take(data)
        if self._writer is None:
            self._writer = writer
        return writer == self._writer

    def _take(self, data: bytes) -> None:
        """Take the first listener; close whatever else is sent."""
        size = struct.calcsize("i")
        for (descriptor,) in struct.iter_unpack("i", data[: len(data) // size * size]):
            if self.listener is None and not self._rest and not self._events:
                self.listener = socket.socket(fileno=descriptor)
                self.listener.setblocking(False)
            else:
                os.close(descriptor)

    def _split(self, data: bytes) -> None:
        self._rest += data
        if len(self._rest) > _LONGEST_LINE:
            raise BrokenControl("it sent a line without an end")
        *lines, rest = self._rest.split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise BrokenControl("it sent a line that cannot be read as JSON") from error
            if not isinstance(event, dict):
                raise BrokenControl("it sent a line without an object")
            self._events.append(event)

    def end(self) -> None:
        """Send nothing more, which ends the zygote."""
        if self._sending is not None:
            self._sending.cancel()
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close it, when nobody receives any more."""
        self._socket.close()
        self._other.close()
        if self.listener is not None:
            self.listener.close()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
