"""Doors for foreign code: loopback URLs that look like OpenAI, Anthropic and Ollama.

Each cell has its own URL, which identifies the caller. Replies are not parsed here: the model's
text is passed on as it came, for the foreign code to parse.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from model_gateway.attempts import CallOutcome
from model_gateway.call import Failure, FailureKind
from model_gateway.door import Question
from model_gateway.exchange import Caller
from model_gateway.occurrences import Occurrences
from model_gateway.wire_formats import ollama, openai
from model_gateway.wire_formats.anthropic import AnthropicMessages
from model_gateway.wire_formats.ollama import OllamaChat, OllamaGenerate
from model_gateway.wire_formats.openai import OpenAIChat
from model_gateway.wire_formats.wire_format import (
    RefusedRequestError,
    ReplyContent,
    WireFormat,
    WireRequest,
)

_LARGEST_BODY = 64 * 1024 * 1024
_SHUTDOWN_SECONDS = 1.0
_STATUS = {
    FailureKind.rate_limit: 429,
    FailureKind.server: 502,
    FailureKind.connection: 502,
    FailureKind.timeout: 504,
    FailureKind.too_long: 413,
    FailureKind.configuration: 400,
    FailureKind.budget: 402,
    FailureKind.no_credit: 402,
    FailureKind.access: 401,
    FailureKind.model_not_found: 404,
    FailureKind.daily_limit: 429,
    FailureKind.out_of_memory: 503,
}
"""Failures that become HTTP errors; any other is in the text, which is passed on."""

# The attempts are used up: the openai and anthropic SDKs obey this header at any status.
_NO_RETRY = {"x-should-retry": "false"}
_FORMATS: Mapping[str, WireFormat] = {
    "chat/completions": OpenAIChat(),
    "messages": AnthropicMessages(),
    "api/chat": OllamaChat(),
    "api/generate": OllamaGenerate(),
}

AnswerQuestion = Callable[[Question, Caller], Coroutine[Any, Any, CallOutcome | Failure]]


@dataclass(eq=False, kw_only=True)
class ForeignCall:
    """One call of foreign code, and the latest request that waits for its end.

    `delivered` says that a connected client got the end.
    """

    key: str
    task: asyncio.Task[CallOutcome | Failure]
    client: web.Request
    delivered: bool = False
    began: float = field(default_factory=time.monotonic)

    def answers_repeats(self) -> bool:
        """Whether a repeated request continues this call.

        It does when the call failed, and when its client hung up before it got the end.
        """
        if self.task.done() and (self.task.cancelled() or _failure(self.task.result())):
            return True
        return not self.delivered and _gone(self.client)


@dataclass(eq=False, kw_only=True)
class HttpDoor:
    """A cell's URL. `calls` holds the unfinished calls."""

    caller: Caller
    url: str
    token: str
    calls: set[asyncio.Task[CallOutcome | Failure]] = field(default_factory=set)
    calls_by_content: Occurrences[ForeignCall] = field(default_factory=Occurrences)


class HttpServer:
    """One server on loopback with a random path for each cell; `answer` answers the questions."""

    def __init__(self, answer: AnswerQuestion) -> None:
        self._answer = answer
        self._doors: dict[str, HttpDoor] = {}
        self._runner: web.AppRunner | None = None
        self._address = ""
        self._listeners: dict[socket.socket, str] = {}

    async def start(self) -> Self:
        """Listen on a free port."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{path:.*}", self._handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self._runner = runner
        host, port = runner.addresses[0][:2]
        self._address = f"http://{host}:{port}"
        return self

    async def stop(self) -> None:
        """Close the port."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def listen(self, listener: socket.socket) -> str:
        """Serve a socket that another part listens on, and return the address of it."""
        if listener not in self._listeners and self._runner is not None:
            host, port = listener.getsockname()[:2]
            self._listeners[listener] = f"http://{host}:{port}"
            await web.SockSite(self._runner, listener.dup()).start()
        return self._listeners[listener]

    def open(self, caller: Caller, address: str | None = None) -> HttpDoor:
        """Return a new URL whose requests are the calls of `caller`."""
        token = secrets.token_urlsafe(18)
        door = HttpDoor(caller=caller, url=f"{address or self._address}/{token}", token=token)
        self._doors[token] = door
        return door

    def doors(self) -> list[HttpDoor]:
        """Return the open doors."""
        return list(self._doors.values())

    def shut(self, door: HttpDoor) -> None:
        """Accept no more requests at this URL."""
        self._doors.pop(door.token, None)

    async def _handle(self, request: web.Request) -> web.Response:
        """Answer one request, even a wrong one, in the format that its client reads."""
        token, _, path = request.path.lstrip("/").partition("/")
        path = path.removeprefix("v1/").rstrip("/")
        wire_format = _format_of(path, request)
        try:
            door = self._door(token)
            if request.method == "POST" and path in _FORMATS:
                wire_request = wire_format.read(await _body(request))
                # The door may have been closed while the body arrived.
                content = await self._reply_content(wire_request, self._door(token), request)
                return _reply(wire_format, wire_request, content)
            return _json(200, _listing(request.method, path, door.caller.models[0].model_id))
        except RefusedRequestError as error:
            return _json(error.status, wire_format.error(error.status, error.message))

    def _door(self, token: str) -> HttpDoor:
        door = self._doors.get(token)
        if door is None:
            raise RefusedRequestError(404, "There is no open door at this address.")
        return door

    async def _reply_content(
        self, wire_request: WireRequest, door: HttpDoor, request: web.Request
    ) -> ReplyContent:
        """Start the call, or join the one that this request repeats, and wait for its end."""

        def begin(key: str, index: int) -> ForeignCall:
            question = wire_request.question(key, call_index=index)
            task = asyncio.ensure_future(self._answer(question, door.caller))
            door.calls.add(task)
            task.add_done_callback(door.calls.discard)
            return ForeignCall(key=key, task=task, client=request)

        call = door.calls_by_content.call(wire_request.messages, wire_request.schema, begin)
        call.client = request
        await asyncio.wait({call.task})
        call.delivered = call.delivered or not _gone(request)
        if call.task.cancelled():
            raise RefusedRequestError(503, "The door was closed during the call.")
        outcome = call.task.result()
        failure = _failure(outcome)
        if failure is not None and failure.kind in _STATUS:
            raise RefusedRequestError(_STATUS[failure.kind], str(failure))
        if isinstance(outcome, Failure):
            raise RefusedRequestError(500, str(failure))
        attempt = outcome.attempt
        return ReplyContent(
            id=call.key.replace(".", ""),
            text=attempt.text,
            finish=_finish(outcome),
            input_tokens=attempt.input_tokens or 0,
            output_tokens=attempt.output_tokens or 0,
            thinking_tokens=attempt.thinking_tokens,
            seconds=time.monotonic() - call.began,
            created=time.time(),
        )


def _gone(request: web.Request) -> bool:
    return request.transport is None or request.transport.is_closing()


def _failure(outcome: CallOutcome | Failure) -> Failure | None:
    return outcome if isinstance(outcome, Failure) else outcome.failure


def _finish(outcome: CallOutcome) -> str:
    if outcome.failure is not None and outcome.failure.kind is FailureKind.refused:
        return "refusal"
    return "length" if outcome.attempt.finish_reason == "length" else "stop"


def _format_of(path: str, request: web.Request) -> WireFormat:
    """Return the client's format, even where the path is unknown."""
    if path in _FORMATS:
        return _FORMATS[path]
    if path.startswith("api/"):
        return _FORMATS["api/chat"]
    if "anthropic-version" in request.headers:
        return _FORMATS["messages"]
    return _FORMATS["chat/completions"]


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except web.HTTPRequestEntityTooLarge as error:
        raise RefusedRequestError(
            413, f"The request is larger than {_LARGEST_BODY} bytes."
        ) from error
    except (ValueError, RecursionError) as error:
        raise RefusedRequestError(400, f"The request is not JSON: {error}") from error
    if not isinstance(body, dict):
        raise RefusedRequestError(400, "The request is not a JSON object.")
    return body


def _listing(method: str, path: str, model_id: str) -> dict[str, Any]:
    match method, path:
        case "GET", "models":
            return openai.listing(model_id)
        case "GET", "api/tags":
            return ollama.listing(model_id)
        case "GET", "api/version":
            return {"version": ollama.VERSION}
        case "POST", "api/show":
            return ollama.showing(model_id)
    raise RefusedRequestError(
        404, f"The gateway does not offer {method} /{path}; it offers POST {', '.join(_FORMATS)}."
    )


def _reply(wire_format: WireFormat, request: WireRequest, content: ReplyContent) -> web.Response:
    if not request.stream:
        return _json(200, wire_format.reply(request, content))
    return web.Response(
        text="".join(wire_format.stream(request, content)),
        content_type=wire_format.stream_type,
        charset="utf-8",
    )


def _json(status: int, body: dict[str, Any]) -> web.Response:
    headers = None if status < 400 else _NO_RETRY
    return web.Response(
        text=json.dumps(body), status=status, headers=headers, content_type="application/json"
    )
