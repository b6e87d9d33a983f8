"""A real server on loopback that behaves as badly as a test asks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Behaviour = Callable[[BaseHTTPRequestHandler], None]


class Server(ThreadingHTTPServer):
    """Answers each path with its behaviour, and any other with 404."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.paths: dict[str, Behaviour] = {}
        self.requests: list[tuple[str, int]] = []

    @property
    def address(self) -> str:
        """The address without a slash at its end."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """A client that leaves is what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.paths.get(self.path, status(404))(self)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        self.server.requests.append((self.path, int(str(getattr(code, "value", code)))))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[Server]:
    """Serve until the block ends."""
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def status(code: int, **headers: str) -> Behaviour:
    """Answer with a code and no body."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return behave


def content(data: bytes, *, length: int | None = -1, etag: str = "") -> Behaviour:
    """Answer with `data`; `length` is what is said of it, None says nothing, -1 the truth."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        if etag and handler.headers.get("If-None-Match") == etag:
            status(304)(handler)
            return
        handler.send_response(200)
        if length is not None:
            handler.send_header("Content-Length", str(len(data) if length == -1 else length))
        if etag:
            handler.send_header("ETag", etag)
        handler.end_headers()
        handler.wfile.write(data)

    return behave


def drip(data: bytes, seconds: float, *, headers_too: bool = False) -> Behaviour:
    """Answer byte by byte, with this many seconds between them."""

    def behave(handler: BaseHTTPRequestHandler) -> None:
        head = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(data)
        if not headers_too:
            handler.wfile.write(head)
        for byte in head + data if headers_too else data:
            handler.wfile.write(bytes([byte]))
            time.sleep(seconds)

    return behave
