"""A small HTTP server in a thread of its own, down to the bytes where a fault needs that."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from tests.waiting import LONGEST
from tests.wire.formats import format_called
from tests.wire.script import Cut, Drip, Hang, Raw, Reset, Say, Seen, Status, Step

_LONGEST_LINE = 1 << 20


class WireServer:
    """Answers requests of one wire format on a free port of 127.0.0.1.

    Use it as a context manager. It does what `script` says, request by request, and repeats the
    last step; or what `reply` returns for a request. Every reply waits `delay` seconds first.
    """

    def __init__(
        self,
        wire_format: str,
        *script: Step,
        reply: Callable[[Seen], Step] | None = None,
        delay: float = 0.0,
    ) -> None:
        self.requests: list[Seen] = []
        self.delay = delay
        self._format = format_called(wire_format)
        self._script = list(script)
        self._reply = reply or self._next
        self._abandoned = 0
        self._problems: list[Exception] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wire", daemon=True)
        self._connections: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def base_url(self) -> str:
        """The address that an entry for this server has as its `base_url`."""
        return f"http://127.0.0.1:{self._port}{self._format.base}"

    @property
    def abandoned(self) -> int:
        """How many requests the client gave up before their reply was whole."""
        return self._abandoned

    def wait_requests(self, count: int, seconds: float = LONGEST) -> bool:
        """Wait until `count` requests have come; False if they did not."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.requests) >= count, seconds)

    def wait_abandoned(self, count: int, seconds: float = LONGEST) -> bool:
        """Wait until the client has given up `count` requests; False if it did not."""
        with self._changed:
            return self._changed.wait_for(lambda: self._abandoned >= count, seconds)

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()
        if kind is None and self._problems:
            raise self._problems[0]

    def _next(self, _: Seen) -> Step:
        return self._script.pop(0) if len(self._script) > 1 else self._script[0]

    async def _start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, limit=_LONGEST_LINE, backlog=4096
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._connections.add(task)
        early: bytes | None = b""
        try:
            while early is not None and (asked := await _request(reader, early)) is not None:
                early = await self._answered(*asked, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # The client is gone, or the server is being stopped.
        except Exception as error:  # noqa: BLE001 - raised when the server is closed
            self._problems.append(error)
        finally:
            self._connections.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answered(
        self,
        path: str,
        headers: dict[str, str],
        body: dict[str, Any],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> bytes | None:
        """Do what is due for one request.

        Return what came of the next one meanwhile, or None if the connection is at its end.
        """
        if path != self._format.path:
            await _send(writer, 404, self._error(404, "not_found", f"no such path {path}"))
            return b""
        seen = self._format.seen(at=time.monotonic(), headers=headers, body=body)
        with self._changed:
            self.requests.append(seen)
            self._changed.notify_all()
        acting = asyncio.ensure_future(self._act(self._reply(seen), seen, writer))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait({acting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for side in (acting, leaving):
                side.cancel()
        done, early = await asyncio.gather(acting, leaving, return_exceptions=True)
        if isinstance(done, asyncio.CancelledError | ConnectionError):
            with self._changed:
                self._abandoned += 1
                self._changed.notify_all()
        elif isinstance(done, Exception):
            raise done
        if done is not True:
            return None
        return early if isinstance(early, bytes) else b""

    async def _act(self, step: Step, seen: Seen, writer: asyncio.StreamWriter) -> bool:
        if self.delay:
            # What it took to find the reply is a part of the time that the model takes.
            await asyncio.sleep(seen.at + self.delay - time.monotonic())
        match step:
            case Hang():
                await asyncio.Event().wait()
            case Reset():
                writer.transport.abort()
                return False
            case Cut(text=text):
                body = self._reply_body(Say(text=text), seen)
                writer.write(_head(200, len(body), "application/json", {}) + body[: len(body) // 2])
                await writer.drain()
                return False
            case Drip(text=text, every=every):
                body = self._reply_body(Say(text=text), seen)
                writer.write(_head(200, len(body), "application/json", {}))
                for index in range(len(body)):
                    writer.write(body[index : index + 1])
                    await writer.drain()
                    await asyncio.sleep(every)
            case Raw(body=body, code=code, content_type=kind, headers=headers):
                writer.write(_head(code, len(body), kind, headers) + body)
                await writer.drain()
            case Status():
                message = f"{step.message} {seen.key}" if step.echo_key else step.message
                body = self._error(step.code, step.name, message)
                await _send(writer, step.code, body, step.headers)
            case str():
                await _send(writer, 200, self._reply_body(Say(text=step), seen))
            case Say():
                await _send(writer, 200, self._reply_body(step, seen))
        return True

    def _reply_body(self, say: Say, seen: Seen) -> bytes:
        return json.dumps(self._format.reply(say, str(seen.body["model"]))).encode()

    def _error(self, code: int, name: str, message: str) -> bytes:
        return json.dumps(self._format.error(code, name, message)).encode()


async def _request(
    reader: asyncio.StreamReader, early: bytes
) -> tuple[str, dict[str, str], dict[str, Any]] | None:
    """Read one request: its path, its headers in lower case, its body; None at the end."""
    line = early + await reader.readline()
    if not line:
        return None
    path = line.split()[1].decode()
    headers: dict[str, str] = {}
    while (header := await reader.readline()).strip():
        name, _, value = header.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return path, headers, json.loads(body or b"{}")


async def _send(writer: asyncio.StreamWriter, code: int, body: bytes, headers: Any = None) -> None:
    writer.write(_head(code, len(body), "application/json", headers or {}) + body)
    await writer.drain()


def _head(code: int, length: int, kind: str, headers: Any) -> bytes:
    lines = [
        f"HTTP/1.1 {code} Status", f"Content-Type: {kind}", f"Content-Length: {length}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
