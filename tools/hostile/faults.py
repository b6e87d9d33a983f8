"""The ways in which a server of models misbehaves: each fault has a name, a kind and an act."""

from __future__ import annotations

import asyncio
import functools
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from tools.hostile import replies
from tools.hostile.replies import Named
from tools.hostile.wire import GOOD, HEAD, Act, Visit

_STATUSES = (
    400, 401, 402, 403, 404, 405, 408, 409, 410, 413, 415, 418, 421, 422, 423, 425, 429, 431, 451,
    499, 500, 501, 502, 503, 504, 507, 508, 511, 520, 522, 524, 529, 530, 598, 599,
)  # fmt: skip
_REDIRECTS = (300, 301, 302, 303, 305, 307, 308)
_MANY = 1_000_000


def _sends(body: bytes, **how: Any) -> Act:
    return lambda visit: visit.send(body, **how)


def _refuses(message: Any, code: int, **how: Any) -> Act:
    return lambda visit: visit.say(visit.error(message), code=code, **how)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One misbehaviour."""

    name: str
    kind: str
    act: Act


def all_faults() -> list[Fault]:
    """Return every fault; names are unique, and sets of the same kind stand together."""
    table: list[Fault] = []
    for kind, source in (
        ("status", _statuses()), ("redirect", _redirects()), ("line", _lines()),
        ("body", _bodies()), ("coding", _codings()), ("json", replies.json_values()),
        ("usage", replies.usages()), ("key", replies.keys()), ("time", _times()),
    ):  # fmt: skip
        table += [Fault(name=name, kind=kind, act=act) for name, act in source]
    names = [fault.name for fault in table]
    if len(set(names)) != len(names):
        raise ValueError("Two faults have the same name.")
    return table


def _statuses() -> Named:
    for code in _STATUSES:
        yield f"status-{code}", _refuses("no", code)
    for name, value in (
        ("past", "Wed, 21 Oct 2015 07:28:00 GMT"), ("far", "86400000"), ("nan", "nan"),
        ("minus", "-5"), ("words", "soon, very soon"), ("digits", "9" * 5000),
    ):  # fmt: skip
        headers = {"Retry-After": value}
        yield f"retry-after-{name}", _refuses("wait", 429, headers=headers)
    yield "status-no-body", lambda v: v.send(b"", 500)
    yield "status-html", lambda v: v.send(b"<html>Bad gateway</html>", 502, kind="text/html")
    yield "status-huge-message", lambda v: v.say(v.error("x" * 3_000_000), code=400)
    yield "status-message-object", lambda v: v.say(v.error({"a": [1]}), code=400)
    yield "status-escapes", lambda v: v.say(v.error("\x1b[2J\x1b]0;t\x07 \u202e \x00"), code=400)
    yield "status-surrogate", lambda v: v.say(v.error("\ud83d"), code=500)
    yield "status-204", lambda v: v.send(b"", 204)
    yield "status-206", lambda v: v.say(v.reply(), code=206)
    yield "error-with-200", lambda v: v.say(v.error("out of order"))
    yield "error-code-text", lambda v: v.say({"error": {"code": "x" * 999, "message": None}})
    yield "error-list", lambda v: v.say({"error": [1, 2]}, code=500)


def _redirects() -> Named:
    def to(code: int, address: Callable[[Visit], str]) -> Act:
        return lambda v: v.send(b"", code, headers={"Location": address(v)})

    for code in _REDIRECTS:
        yield f"redirect-{code}", to(code, lambda v: f"{v.elsewhere}/v1/chat/completions")
    yield "redirect-key", to(302, lambda v: f"{v.elsewhere}/?key={quote(v.key, safe='')}")
    yield "redirect-relative", to(307, lambda _: "/elsewhere")
    yield "redirect-self", to(307, lambda _: "")
    yield "redirect-file", to(302, lambda _: "file:///etc/hostname")
    yield "redirect-user", to(308, lambda v: v.elsewhere.replace("//", "//user:password@"))
    yield "redirect-nowhere", lambda v: v.send(b"", 302)
    yield (
        "location-with-200",
        lambda v: v.say(v.reply(), headers={"Location": v.elsewhere, "Refresh": "0; url=/x"}),
    )
    yield "continue-to", lambda v: v.raw(b"HTTP/1.1 303 X\r\nLocation: //127.0.0.1:9/\r\n\r\n")


def _lines() -> Named:
    """Yield faults of status line, headers and framing."""

    def raw(data: bytes, *, close: bool = True) -> Act:
        async def act(visit: Visit) -> None:
            await visit.raw(data)
            if close:
                visit.writer.close()

        return act

    ok = HEAD.format(code=200).encode()
    yield "line-none", raw(b"hello, world")
    yield "line-empty", raw(b"")
    yield "line-code-9999", raw(b"HTTP/1.1 9999 X\r\n\r\n")
    yield "line-code-minus", raw(b"HTTP/1.1 -200 X\r\n\r\n")
    yield "line-version", raw(b"HTTP/9.9 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    yield "line-http-0.9", raw(b'{"choices": []}')
    yield "line-tls", raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200)
    yield "line-http2", raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    yield "line-nul", raw(ok + b"X-A: \x00\x00\r\nContent-Length: 2\r\n\r\n{}")
    yield "line-long", raw(b"HTTP/1.1 200 " + b"x" * 400_000 + b"\r\n\r\n")
    yield "header-300k", raw(ok + b"X-A: " + b"x" * 300_000 + b"\r\nContent-Length: 2\r\n\r\n{}")
    yield "header-many", raw(ok + b"".join(b"X-%d: a\r\n" % n for n in range(30_000)) + b"\r\n")
    yield "header-endless", _endless(ok, b"X-A: a\r\n")
    yield "interim-endless", _endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n")
    yield "header-no-colon", raw(ok + b"garbage\r\n\r\n{}")
    yield "header-cookie", lambda v: v.say(v.reply(), headers={"Set-Cookie": "a=b; Path=/"})
    yield "length-long", lambda v: _close(v, v.say(v.reply(), length=10_000_000))
    yield "length-short", lambda v: _close(v, v.say(v.reply(), length=20))
    yield "length-minus", lambda v: _close(v, v.say(v.reply(), length=-5))
    yield "length-words", lambda v: _close(v, v.say(v.reply(), length="many"))
    yield "length-huge", lambda v: _close(v, v.say(v.reply(), length=10**30))
    yield "length-two", lambda v: v.say(v.reply(), headers={"Content-Length": "3"})
    yield "reply-twice", _twice
    chunked = ok + b"Transfer-Encoding: chunked\r\n\r\n"
    yield "chunk-garbage", raw(chunked + b"zz\r\n{}\r\n0\r\n\r\n")
    yield "chunk-minus", raw(chunked + b"-2\r\n{}\r\n0\r\n\r\n")
    yield "chunk-huge", raw(chunked + b"ffffffffffffffff\r\n{}\r\n")
    yield "chunk-torn", raw(chunked + b"64\r\n{")
    yield "chunk-no-end", raw(chunked + b"2\r\n{}\r\n")
    yield "chunk-extension", raw(chunked + b"2;" + b"x" * 200_000 + b"\r\n{}\r\n0\r\n\r\n")
    yield "chunk-endless", _endless(chunked, b"400\r\n" + b" " * 1024 + b"\r\n")
    yield "chunk-tiny", _endless(chunked, b"1\r\n \r\n" * 500)
    yield "chunk-and-length", raw(ok + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}")
    yield "body-endless", _endless(ok + b"\r\n", b" " * 65_536)


def _bodies() -> Named:
    bodies: dict[str, bytes] = {
        "empty": b"", "space": b"  \n ", "words": b"I am a teapot.", "html": b"<html></html>",
        "xml": b"<?xml version='1.0'?><a/>", "list": b"[]", "text": b'"hi"', "number": b"7",
        "null": b"null", "object": b"{}", "brace": b"{", "bytes": bytes(range(256)),
        "deep-list": b"[" * 200_000, "deep-object": b'{"a":' * 200_000,
        "closed-deep": b"[" * 100_000 + b"]" * 100_000, "nan": b'{"choices": NaN}',
        "long-number": b'{"usage": ' + b"9" * 5_000 + b"}", "many-commas": b"[" + b"1," * _MANY,
        "many-objects": b"[" + b"{}," * _MANY + b"{}]",
        "many-keys": b"{" + b'"a":1,' * _MANY + b'"b":1}',
        "events": b'data: {"choices": []}\n\ndata: [DONE]\n\n', "9-mb": b" " * 9_000_000,
        "nul": b'{"a": "\x00"}', "quote": b'"' * 500_000,
        "escapes": b'"' + b"\\u0041" * _MANY + b'"',
        "backslashes": b'"' + b"\\" * 4_000_000,
    }  # fmt: skip
    for name, body in bodies.items():
        yield f"body-{name}", _sends(body)

    def sound(change: Callable[[bytes], bytes], **how: Any) -> Act:
        return lambda v: v.send(change(json.dumps(v.reply()).encode()), **how)

    yield "body-half", sound(lambda body: body[: len(body) // 2])
    yield "body-tail", sound(lambda body: body + b"garbage")
    yield "body-twice", sound(lambda body: body + body)
    yield "body-bom", sound(lambda body: b"\xef\xbb\xbf" + body)
    yield "body-utf-16", sound(lambda body: body.decode().encode("utf-16"))
    yield "body-utf-32", sound(lambda body: body.decode().encode("utf-32"))
    yield "body-latin-1", sound(lambda body: body.replace(b"Tools", b"T\xe9\xff"))
    yield "body-padded", sound(lambda body: b" " * 7_000_000 + body)
    for name, kind in (
        ("html", "text/html"), ("none", ""), ("image", "image/png"), ("long", "a/" + "b" * 5_000),
        ("zlib", "application/json; charset=zlib_codec"), ("idna", "text/plain; charset=idna"),
        ("unknown", "application/json; charset=klingon"), ("events", "text/event-stream"),
        ("utf-7", "application/json; charset=utf-7"),
    ):  # fmt: skip
        yield f"type-{name}", sound(bytes, kind=kind)


def _codings() -> Named:
    def coded(coding: str, change: Callable[[bytes], bytes]) -> Act:
        headers = {"Content-Encoding": coding}
        return lambda v: v.send(change(json.dumps(v.reply()).encode()), headers=headers)

    def bomb(_: bytes) -> bytes:
        return _bomb()

    yield "gzip-sound", coded("gzip", gzip.compress)
    yield "deflate-sound", coded("deflate", zlib.compress)
    yield "gzip-bomb", coded("gzip", bomb)
    yield "gzip-nested", coded("gzip, gzip, gzip", lambda b: gzip.compress(gzip.compress(bomb(b))))
    yield "gzip-9-times", coded(", ".join(["gzip"] * 9), gzip.compress)
    yield "gzip-plain", coded("gzip", bytes)
    yield "gzip-torn", coded("gzip", lambda body: gzip.compress(body)[:-12])
    yield "gzip-crc", coded("gzip", lambda body: gzip.compress(body)[:-8] + b"\0" * 8)
    yield "gzip-tail", coded("gzip", lambda body: gzip.compress(body) + b"garbage")
    yield "gzip-empty", coded("gzip", lambda _: b"")
    yield "coding-br", coded("br", bytes)
    yield "coding-zstd", coded("zstd", bytes)
    yield "coding-unknown", coded("rot13", bytes)
    yield "coding-identity", coded("identity", bytes)


@functools.cache
def _bomb() -> bytes:
    """Return 0.4 MB that become 400 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    piece = b" " * 1_000_000
    parts = [packer.compress(b"{"), *(packer.compress(piece) for _ in range(400))]
    return b"".join([*parts, packer.compress(b"}"), packer.flush()])


def _times() -> Named:
    async def drip(visit: Visit) -> None:
        body = json.dumps(visit.reply()).encode()
        await visit.raw(HEAD.format(code=200).encode() + b"Content-Length: %d\r\n\r\n" % len(body))
        for index in range(len(body)):
            await visit.raw(body[index : index + 1])
            await asyncio.sleep(0.5)

    async def slow_head(visit: Visit) -> None:
        for char in HEAD.format(code=200):
            await visit.raw(char.encode())
            await asyncio.sleep(0.5)
        await _forever(visit)

    async def after(visit: Visit, data: bytes) -> None:
        await visit.raw(data)
        await _forever(visit)

    async def half(visit: Visit) -> None:
        body = json.dumps(visit.reply()).encode()
        await after(visit, HEAD.format(code=200).encode() + b"Content-Length: 999\r\n\r\n" + body)

    async def reset(visit: Visit) -> None:
        visit.writer.transport.abort()

    ok = HEAD.format(code=200).encode()
    yield "time-hang", _forever
    yield "time-drip", drip
    yield "time-slow-head", slow_head
    yield "time-after-line", lambda v: after(v, ok)
    yield "time-after-head", lambda v: after(v, ok + b"Content-Length: 9\r\n\r\n")
    yield "time-half", half
    yield "time-interim", lambda v: after(v, b"HTTP/1.1 100 Continue\r\n\r\n")
    yield "time-reset", reset
    yield "time-close", lambda v: _close(v, v.raw(b""))


async def _forever(visit: Visit) -> None:
    await visit.reader.read()  # Until the client gives up.


async def _close(visit: Visit, first: Any) -> None:
    await first
    visit.writer.close()


async def _twice(visit: Visit) -> None:
    """Send a second reply that nobody asked for, which must not answer the next request."""
    await visit.say(visit.reply())
    await visit.say(visit.reply(json.dumps({**GOOD, "topic": "Unasked"})))


def _endless(head: bytes, piece: bytes) -> Act:
    async def act(visit: Visit) -> None:
        await visit.raw(head)
        while True:
            await visit.raw(piece)
            await asyncio.sleep(0)

    return act
