"""A loopback server that misbehaves as the id of the asked model says, in three wire formats."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

FORMATS = ("openai", "anthropic", "ollama")
PATHS = {
    "/v1/chat/completions": "openai",
    "/v1/messages": "anthropic",
    "/api/chat": "ollama",
}
BASES = {"openai": "/v1", "anthropic": "", "ollama": ""}
GOOD = {"topic": "Tools", "purpose_detailed": "Lend tools.", "purpose": "business"}
HEAD = "HTTP/1.1 {code} Status\r\n"
_LONGEST = 64 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request: the model's id, the digest of its messages, and whether it has a schema."""

    model: str
    digest: str
    is_ping: bool


@dataclass(kw_only=True)
class Visit:
    """One request and the way to answer it; the acts of faults write with it."""

    wire_format: str
    body: Mapping[str, Any]
    key: str
    elsewhere: str
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def reply(self, text: str | None = None, **changes: Any) -> dict[str, Any]:
        """Return a sound reply; `changes` are `model`, `finish` and `usage`, by their meaning."""
        text = json.dumps(GOOD) if text is None else text
        model = changes.get("model", self.body["model"])
        finish = changes.get("finish", "stop")
        tokens_in, tokens_out = changes.get("usage", (300, 40))
        if self.wire_format == "openai":
            message = {"role": "assistant", "content": text}
            usage = {"prompt_tokens": tokens_in, "completion_tokens": tokens_out}
            choices = [{"index": 0, "message": message, "finish_reason": finish}]
            return {"id": "1", "object": "chat.completion", "model": model, "choices": choices,
                    "usage": usage}  # fmt: skip
        if self.wire_format == "anthropic":
            usage = {"input_tokens": tokens_in, "output_tokens": tokens_out}
            finish = "end_turn" if finish == "stop" else finish
            return {"id": "1", "type": "message", "role": "assistant", "model": model,
                    "content": [{"type": "text", "text": text}], "stop_reason": finish,
                    "usage": usage}  # fmt: skip
        return {"model": model, "created_at": "2026-01-01T00:00:00Z", "done": True,
                "message": {"role": "assistant", "content": text}, "done_reason": finish,
                "prompt_eval_count": tokens_in, "eval_count": tokens_out}  # fmt: skip

    def error(self, message: Any) -> dict[str, Any]:
        """Return an error in this format."""
        if self.wire_format == "ollama":
            return {"error": message}
        return {"type": "error", "error": {"type": "some_error", "message": message}}

    async def raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        self.writer.write(data)
        await self.writer.drain()

    async def send(
        self, body: bytes, code: int = 200, *, kind: str = "application/json", length: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        """Write a reply; `length` replaces the true one."""
        lines = [f"Content-Type: {kind}"] if kind else []
        lines += [f"Content-Length: {len(body) if length is None else length}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        head = HEAD.format(code=code) + "\r\n".join(lines) + "\r\n\r\n"
        await self.raw(head.encode("latin-1", "replace") + body)

    async def say(self, value: Any, **how: Any) -> None:
        """Write a value as JSON."""
        await self.send(json.dumps(value).encode(), **how)


Act = Callable[[Visit], Awaitable[None]]


@dataclass(kw_only=True)
class HostileServer:
    """Serves `acts` by the name that a model's id ends with; every other model answers soundly.

    A context manager. `pings_too` says that pings meet the fault as well. `strayed` counts the
    requests that reached the address to which redirects point.
    """

    acts: Mapping[str, Act]
    key: str
    pings_too: bool = False
    asked: list[Asked] = field(default_factory=list)
    strayed: int = 0

    def __enter__(self) -> Self:
        """Listen on two free ports of loopback."""
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(60)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the ports and every connection."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(60)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(60)
        self._loop.close()

    def url(self, wire_format: str) -> str:
        """Return the `base_url` of an entry."""
        return f"http://127.0.0.1:{self._port}{BASES[wire_format]}"

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_LONGEST)
        self._stray = await asyncio.start_server(self._serve_stray, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        self._elsewhere = f"http://127.0.0.1:{self._stray.sockets[0].getsockname()[1]}"

    async def _stop(self) -> None:
        self._server.close()
        self._stray.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve_stray(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.strayed += 1
        writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError, ValueError
        ):
            while await self._request(reader, writer):
                pass
        with contextlib.suppress(ConnectionError):
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is at its end."""
        line = await reader.readline()
        if not line.strip():
            return False
        length = 0
        while (header := await reader.readline()).strip():
            name, _, value = header.decode("latin-1").partition(":")
            length = int(value) if name.lower() == "content-length" else length
        body = json.loads(await reader.readexactly(length) or b"{}")
        wire_format = PATHS.get(line.split()[1].decode("latin-1"))
        visit = Visit(
            wire_format=wire_format or "openai", body=body, key=self.key,
            elsewhere=self._elsewhere, reader=reader, writer=writer,
        )  # fmt: skip
        if wire_format is None or "model" not in body:
            self.strayed += 1  # What the server itself named as another address is asked.
            await visit.say({"error": "no such path"}, code=404)
            return True
        is_ping = _has_no_schema(body)
        texts = json.dumps([body.get("system"), body["messages"]])
        digest = hashlib.sha256(texts.encode()).hexdigest()
        self.asked.append(Asked(model=str(body["model"]), digest=digest, is_ping=is_ping))
        act = self.acts.get(str(body["model"]).partition("/")[2])
        if act is None or (is_ping and not self.pings_too):
            await visit.say(visit.reply("1", usage=(5, 1)) if is_ping else visit.reply())
            return True
        await act(visit)
        return not writer.transport.is_closing()


def _has_no_schema(body: Mapping[str, Any]) -> bool:
    return not (body.get("response_format") or body.get("format") or body.get("output_config")
                or body.get("tools"))  # fmt: skip
