"""Doors for foreign code: loopback URLs that look like OpenAI, Anthropic and Ollama.

Each cell has a URL of its own, so who asks is known by where it is asked. Nothing is judged
here: the model's text is passed on as it came, and what the foreign code makes of it is its own
affair.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from aiohttp import web

from model_gateway.attempts import CallOutcome, Question
from model_gateway.call import Failure, FailureKind
from model_gateway.exchange import Asker
from model_gateway.occurrences import Occurrences
from model_gateway.wire_shapes import ollama, openai
from model_gateway.wire_shapes.anthropic import AnthropicMessages
from model_gateway.wire_shapes.ollama import OllamaChat, OllamaGenerate
from model_gateway.wire_shapes.openai import OpenAIChat
from model_gateway.wire_shapes.shape import Asked, Given, RefusedRequestError, Shape

_LARGEST_BODY = 64 * 1024 * 1024
_SHUTDOWN_SECONDS = 1.0
_STATUS = {
    FailureKind.rate_limit: 429,
    FailureKind.server: 502,
    FailureKind.connection: 502,
    FailureKind.timeout: 504,
    FailureKind.configuration: 400,
    FailureKind.budget: 402,
}
"""What is an error over the wire; any other failure lies in the text, which is passed on."""

# The attempts are used up: the openai and anthropic SDKs obey this header whatever the status is.
_NO_RETRY = {"x-should-retry": "false"}
_SHAPES: Mapping[str, Shape] = {
    "chat/completions": OpenAIChat(),
    "messages": AnthropicMessages(),
    "api/chat": OllamaChat(),
    "api/generate": OllamaGenerate(),
}

Answer = Callable[[Question, Asker], Coroutine[Any, Any, CallOutcome | Failure]]


@dataclass(eq=False, kw_only=True)
class ForeignCall:
    """One call of foreign code, and the request that waits for its end or was the last to.

    `heard` says that the end was told to somebody who was still there.
    """

    key: str
    talk: asyncio.Task[CallOutcome | Failure]
    client: web.Request
    heard: bool = False
    began: float = field(default_factory=time.monotonic)

    def takes_repetition(self) -> bool:
        """Whether the same request means this call again.

        It does when the call failed, and when its client hung up before it was told the end.
        """
        if self.talk.done() and (self.talk.cancelled() or _failure(self.talk.result())):
            return True
        return not self.heard and _gone(self.client)


@dataclass(eq=False, kw_only=True)
class HttpDoor:
    """A cell's URL. `calls` holds the conversations under way."""

    asker: Asker
    url: str
    token: str
    calls: set[asyncio.Task[CallOutcome | Failure]] = field(default_factory=set)
    asked: Occurrences[ForeignCall] = field(default_factory=Occurrences)


class HttpServer:
    """One server on loopback with a random path for each cell; `answer` puts the questions."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._doors: dict[str, HttpDoor] = {}
        self._runner: web.AppRunner | None = None
        self._address = ""

    async def start(self) -> Self:
        """Listen on a free port."""
        app = web.Application(client_max_size=_LARGEST_BODY)
        app.router.add_route("*", "/{way:.*}", self._handle)
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

    def open(self, asker: Asker) -> HttpDoor:
        """Return a new URL whose requests are the calls of `asker`."""
        token = secrets.token_urlsafe(18)
        door = HttpDoor(asker=asker, url=f"{self._address}/{token}", token=token)
        self._doors[token] = door
        return door

    def doors(self) -> list[HttpDoor]:
        """Return the doors that are open."""
        return list(self._doors.values())

    def shut(self, door: HttpDoor) -> None:
        """Take no more requests at this URL."""
        self._doors.pop(door.token, None)

    async def _handle(self, request: web.Request) -> web.Response:
        """Answer one request, whatever comes, in the shape that its client reads."""
        token, _, path = request.path.lstrip("/").partition("/")
        path = path.removeprefix("v1/").rstrip("/")
        shape = _shape(path, request)
        try:
            door = self._door(token)
            if request.method == "POST" and path in _SHAPES:
                asked = shape.read(await _body(request))
                # The door may have been closed while the body was on its way.
                given = await self._given(asked, self._door(token), request)
                return _replied(shape, asked, given)
            return _json(200, _listed(request.method, path, door.asker.models[0].model_id))
        except RefusedRequestError as error:
            return _json(error.status, shape.error(error.status, error.message))

    def _door(self, token: str) -> HttpDoor:
        door = self._doors.get(token)
        if door is None:
            raise RefusedRequestError(404, "There is no open door at this address.")
        return door

    async def _given(self, asked: Asked, door: HttpDoor, request: web.Request) -> Given:
        """Put the call, or join the one that this request repeats, and wait for its end."""

        def begin(key: str, place: int) -> ForeignCall:
            question = replace(asked.question(key), place=place)
            talk = asyncio.ensure_future(self._answer(question, door.asker))
            door.calls.add(talk)
            talk.add_done_callback(door.calls.discard)
            return ForeignCall(key=key, talk=talk, client=request)

        call = door.asked.call(asked.messages, asked.schema, begin)
        call.client = request
        await asyncio.wait({call.talk})
        call.heard = call.heard or not _gone(request)
        if call.talk.cancelled():
            raise RefusedRequestError(503, "The door was closed during the call.")
        outcome = call.talk.result()
        failure = _failure(outcome)
        if failure is not None and failure.kind in _STATUS:
            raise RefusedRequestError(_STATUS[failure.kind], str(failure))
        if isinstance(outcome, Failure):
            raise RefusedRequestError(500, str(failure))
        attempt = outcome.attempt
        return Given(
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


def _shape(path: str, request: web.Request) -> Shape:
    """Return the shape of the client's format, even where the path is unknown."""
    if path in _SHAPES:
        return _SHAPES[path]
    if path.startswith("api/"):
        return _SHAPES["api/chat"]
    if "anthropic-version" in request.headers:
        return _SHAPES["messages"]
    return _SHAPES["chat/completions"]


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


def _listed(method: str, path: str, model_id: str) -> dict[str, Any]:
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
        404, f"The gateway does not offer {method} /{path}; it offers POST {', '.join(_SHAPES)}."
    )


def _replied(shape: Shape, asked: Asked, given: Given) -> web.Response:
    if not asked.stream:
        return _json(200, shape.reply(asked, given))
    return web.Response(
        text="".join(shape.stream(asked, given)),
        content_type=shape.stream_type,
        charset="utf-8",
    )


def _json(status: int, body: dict[str, Any]) -> web.Response:
    headers = None if status < 400 else _NO_RETRY
    return web.Response(
        text=json.dumps(body), status=status, headers=headers, content_type="application/json"
    )
