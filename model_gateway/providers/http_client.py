"""Sets up the SDKs' HTTP clients: no redirect is followed, and every reply is bounded in bytes.

The SDKs use two generations of one library (httpx, httpx2), which have the same interface; so
nothing here imports either of them.
"""

from __future__ import annotations

import asyncio
import sys
import zlib
from collections.abc import Awaitable, Iterator
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any

from model_gateway import large_replies
from model_gateway.large_replies import LARGEST_BODY, ReplyBoundError

LARGEST_HEAD = 256 * 1024
"""Bytes, with all the interim replies before the reply itself."""
_LARGEST_ON_WIRE = 2 * LARGEST_BODY
_MOST_PIECES = 100_000
_PIECES_AT_ONCE = 256
_MOST_CODINGS = 3
_CHARSETS = {"", "utf-8", "utf8", "us-ascii", "iso-8859-1", "latin-1", "windows-1252"}
_GZIP = zlib.MAX_WBITS | 16
_WINDOW_BITS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_ACCEPTED = "gzip, deflate"


def bounded(client: Any, wire_format: str | None = None) -> Any:
    """Return an async `client` after setting its bounds; a second call changes nothing.

    Replies whose JSON takes long to parse are parsed in another process if they are in
    `wire_format`, a name of `large_replies.FORMATS`, and refused otherwise.
    """
    _set_up(client, _announce, _read_async, wire_format)
    return client


def bounded_sync(client: Any) -> Any:
    """Do as `bounded` for a client that blocks its thread."""
    _set_up(client, _announce_sync, _read_sync, None)
    return client


def _set_up(client: Any, announce: Any, read: Any, wire_format: str | None) -> None:
    client.follow_redirects = False
    hooks = client.event_hooks
    if announce in hooks["request"]:
        return
    # What a server stores here would go out with the calls of other cells.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    client.event_hooks = {
        "request": [*hooks["request"], announce],
        "response": [partial(read, wire_format=wire_format), *hooks["response"]],
    }
    for transport in (client._transport, *client._mounts.values()):  # noqa: SLF001 - no other way
        pool = getattr(transport, "_pool", None)
        if pool is not None:
            pool._network_backend = _Backend(pool._network_backend)  # noqa: SLF001 - no other way
            # A connection is used once: a second reply on it would answer another cell's call.
            pool._max_keepalive_connections = 0  # noqa: SLF001 - no other way


async def _announce(request: Any) -> None:
    _announce_sync(request)


def _announce_sync(request: Any) -> None:
    """Ask only for codings that can be undone within bounds."""
    request.headers["accept-encoding"] = _ACCEPTED


async def _read_async(response: Any, *, wire_format: str | None) -> None:
    """Read the body, and leave it on the response without its content coding."""
    body = _Body(response)
    stream = response.stream
    try:
        async for piece in stream:
            if body.add(piece) % _PIECES_AT_ONCE == 0:
                await asyncio.sleep(0)  # Tiny pieces arrive without any pause for other calls.
    finally:
        await stream.aclose()
    body.leave(await large_replies.simplified(body.decoded(), wire_format))


def _read_sync(response: Any, *, wire_format: str | None) -> None:
    body = _Body(response)
    stream = response.stream
    try:
        for piece in stream:
            body.add(piece)
    finally:
        stream.close()
    data = body.decoded()
    if wire_format is None and large_replies.is_complex(data):
        raise large_replies.TOO_COMPLEX
    body.leave(data)


class _Body:
    """The body of a reply while it arrives."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._pieces: list[bytes] = []
        self._size = 0
        stream = response.extensions.get("network_stream")
        if isinstance(stream, _Stream | _SyncStream):
            stream.head_is_complete()

    def add(self, piece: bytes) -> int:
        """Take a piece, and return how many there are."""
        self._size += len(piece)
        if self._size > LARGEST_BODY:
            raise ReplyBoundError(f"it is larger than {LARGEST_BODY >> 20} MB")
        self._pieces.append(piece)
        if len(self._pieces) > _MOST_PIECES:
            raise ReplyBoundError(f"it comes in more than {_MOST_PIECES} pieces")
        return len(self._pieces)

    def decoded(self) -> bytes:
        """Return the body without its content codings."""
        data = b"".join(self._pieces)
        for coding in _codings(self._response.headers):
            data = _inflated(data, coding)
        return data

    def leave(self, data: bytes) -> None:
        """Put the body where the client looks for it."""
        response = self._response
        response.headers.pop("content-encoding", None)
        # Python has text codecs that decompress, and some that take forever.
        kind, _, charset = response.headers.get("content-type", "").partition("charset=")
        if charset.strip("\"' ;").lower() not in _CHARSETS:
            response.headers["content-type"] = kind.rstrip("; ")
        response.headers["content-length"] = str(len(data))
        library = sys.modules[type(response).__module__.partition(".")[0]]
        response.stream = library.ByteStream(data)


def _codings(headers: Any) -> Iterator[str]:
    names = [name.strip().lower() for name in str(headers.get("content-encoding", "")).split(",")]
    names = [name for name in names if name not in {"", "identity"}]
    if len(names) > _MOST_CODINGS:
        raise ReplyBoundError(f"it is compressed {len(names)} times")
    return reversed(names)


def _inflated(data: bytes, coding: str) -> bytes:
    bits = _WINDOW_BITS.get(coding)
    if bits is None:
        raise ReplyBoundError(f"its content coding {coding!r} was not asked for")
    if coding == "deflate" and (data[:1] or b"\0")[0] & 0x0F != zlib.DEFLATED:
        bits = -zlib.MAX_WBITS  # Some servers leave out the header of the format.
    inflater = zlib.decompressobj(bits)
    try:
        result = inflater.decompress(data, LARGEST_BODY + 1)
    except zlib.error as error:
        raise ReplyBoundError("its compression is broken") from error
    if len(result) > LARGEST_BODY:
        raise ReplyBoundError(f"it is larger than {LARGEST_BODY >> 20} MB after decompression")
    if data and not inflater.eof:
        raise ReplyBoundError("its compressed body breaks off")
    return result


class _Meter:
    """Counts the bytes of one reply on the wire; every request begins a new count."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._read = 0
        self._most = LARGEST_HEAD

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def head_is_complete(self) -> None:
        """Allow for a body from now on."""
        self._most = _LARGEST_ON_WIRE

    def _sent(self) -> None:
        self._read, self._most = 0, LARGEST_HEAD

    def _received(self, data: bytes) -> bytes:
        self._read += len(data)
        if self._read > self._most:
            what = "its headers are" if self._most == LARGEST_HEAD else "it is"
            raise ReplyBoundError(f"{what} larger than {self._most >> 10} kB")
        return data


class _Stream(_Meter):
    """A connection whose replies are metered."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109
        return self._received(await self._inner.read(max_bytes, timeout))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109
        self._sent()
        await self._inner.write(buffer, timeout)

    async def start_tls(self, *args: Any, **kwargs: Any) -> _Stream:
        return _Stream(await self._inner.start_tls(*args, **kwargs))


class _SyncStream(_Meter):
    """The same for clients that block."""

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._received(self._inner.read(max_bytes, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._sent()
        self._inner.write(buffer, timeout)

    def start_tls(self, *args: Any, **kwargs: Any) -> _SyncStream:
        return _SyncStream(self._inner.start_tls(*args, **kwargs))


class _Backend:
    """Opens connections that are metered."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def connect_tcp(self, *args: Any, **kwargs: Any) -> Any:
        """Connect, at once or when it is awaited, as the library does."""
        connection = self._inner.connect_tcp(*args, **kwargs)
        if isinstance(connection, Awaitable):
            return _metered(connection)
        return _SyncStream(connection)


async def _metered(connection: Awaitable[Any]) -> _Stream:
    return _Stream(await connection)
