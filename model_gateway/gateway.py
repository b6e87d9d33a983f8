"""The one process that talks to models: it opens a door for each cell and answers its calls."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from model_gateway import providers, socket_folder
from model_gateway.attempts import (
    CallOutcome,
    OfferedReply,
    ParseResult,
    ReplyParser,
    ask_models,
)
from model_gateway.availability import Availability
from model_gateway.call import Call, Failure, FailureKind, R, Reply
from model_gateway.cell_line import CellLine, end_of
from model_gateway.config import Model
from model_gateway.daemon_thread import in_daemon_thread
from model_gateway.door import Question
from model_gateway.errors import ConfigError
from model_gateway.exchange import CallDesk, Caller
from model_gateway.keys import Redactor
from model_gateway.ledger import Ledger
from model_gateway.limits import Limits, Turn
from model_gateway.provider import Build, Provider
from model_gateway.replies import ParsedReply, parse
from model_gateway.served_provider import ServedProvider

if TYPE_CHECKING:
    from model_gateway.http_door import HttpDoor, HttpServer

_LONGEST_LINE = 256 * 1024 * 1024
_LONG_TEXT = 200_000
_SECONDS_TO_BUILD = 120.0
_SECONDS_TO_CLOSE = 5.0
_MOST_CALLS_AT_ONCE = 256


@dataclass(eq=False)
class OpenDoor:
    """A cell's door as the gateway sees it, until it is closed."""

    caller: Caller
    path: Path
    server: asyncio.Server | None = None
    calls: set[asyncio.Task[None]] = field(default_factory=set)


class Gateway:
    """Answers the calls of many cells concurrently.

    Use it as an async context manager. `redact` removes keys from all records and messages; without
    it, those are the values of `key_variables` and of variables that look like it. `build` makes
    the provider of a model. The `ledger` may be replaced until the first door is opened.
    `availability` knows which models answer.
    """

    def __init__(
        self,
        *,
        ledger: Ledger | None = None,
        key_variables: Iterable[str] = (),
        redact: Redactor | None = None,
        build: Build = providers.build,
        availability: Availability | None = None,
    ) -> None:
        self.ledger = ledger or Ledger()
        self.redact = redact or Redactor(key_variables)
        self.availability = availability or Availability()
        self._build = build
        self._doors: dict[str, OpenDoor] = {}
        self._providers: dict[str, asyncio.Future[Provider]] = {}
        self._limits: dict[str, Limits] = {}
        self._turn = Turn()
        self._http: HttpServer | None = None
        self._http_starts = asyncio.Lock()
        self._folder: Path | None = None
        self._files = ExitStack()
        self._opened = 0

    async def __aenter__(self) -> Self:
        self._folder = self._files.enter_context(socket_folder.opened())
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            for door in list(self._doors.values()):
                await self.close(door)
            if self._http is not None:
                for url in self._http.doors():
                    await self.close(url)
                await self._http.stop()
            for building in self._providers.values():
                with contextlib.suppress(Exception):
                    async with asyncio.timeout(_SECONDS_TO_CLOSE):
                        await (await building).close()
        finally:
            self._files.close()

    async def open(self, caller: Caller, *, listens: bool = True) -> OpenDoor:
        """Open a socket for one cell; every connection to `path` is a call of that cell.

        Where it does not listen, connections are given to `adopt`.
        """
        if self._folder is None:
            raise RuntimeError("The gateway is used as an async context manager.")
        caller.journal.begin(caller.cell, caller.repeat)
        self._opened += 1
        path = self._folder / f"{self._opened:x}"
        door = OpenDoor(caller=caller, path=path)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(door, reader, writer)

        if listens:
            door.server = await asyncio.start_unix_server(serve, path, limit=_LONGEST_LINE)
        self._doors[path.name] = door
        return door

    def adopt(self, door: OpenDoor, connection: socket.socket) -> None:
        """Answer the call that comes over a connection which a cell has passed."""
        if len(door.calls) >= _MOST_CALLS_AT_ONCE:
            connection.close()
            return

        async def serve() -> None:
            streams = await asyncio.open_connection(sock=connection, limit=_LONGEST_LINE)
            await self._serve(door, *streams)

        call = asyncio.create_task(serve())
        door.calls.add(call)
        call.add_done_callback(door.calls.discard)

    async def open_http(self, caller: Caller, listener: socket.socket | None = None) -> HttpDoor:
        """Open a URL for one cell, for code that uses an API of OpenAI, Anthropic or Ollama.

        With `listener` it is reached through that socket, which the caller keeps open.
        """
        async with self._http_starts:
            if self._http is None:
                # The web server takes 0.2 s to import, and most gateways need no HTTP door.
                from model_gateway.http_door import HttpServer

                self._http = await HttpServer(self._answer).start()
        caller.journal.begin(caller.cell, caller.repeat)
        address = None if listener is None else await self._http.listen(listener)
        return self._http.open(caller, address)

    async def close(self, door: OpenDoor | HttpDoor) -> None:
        """Close a door: unfinished calls are cancelled and charged at their reservation."""
        if isinstance(door, OpenDoor):
            self._doors.pop(door.path.name, None)
            if door.server is not None:
                door.server.close()
            door.path.unlink(missing_ok=True)
        elif self._http is not None:
            self._http.shut(door)
        calls = list(door.calls)
        for task in calls:
            task.cancel()
        await asyncio.gather(*calls, return_exceptions=True)

    @property
    def desk(self) -> CallDesk:
        """What all calls share."""
        return CallDesk(
            ledger=self.ledger, redact=self.redact, provider=self._provider,
            limits=self._limits_of, availability=self.availability,
        )  # fmt: skip

    async def answer(self, question: Question, caller: Caller) -> CallOutcome:
        """Answer a question of this process, with the text as it came."""
        return await ask_models(question, caller, self.desk, _accept)

    async def ask(self, call: Call[R], caller: Caller) -> Reply[R]:
        """Answer a call of this process; its replies are parsed here."""
        parsed: ParsedReply[R] = ParsedReply()
        began = time.monotonic()

        async def parse_offered(reply: OfferedReply) -> ParseResult:
            nonlocal parsed
            parsed = await _parsed(reply, call.schema)
            return ParseResult(partial=parsed.partial, failure=parsed.failure, mended=parsed.mended)

        outcome = await self._answer(Question.of(call), caller, parse_offered)
        attempt = None if isinstance(outcome, Failure) else outcome.attempt
        failure = outcome if isinstance(outcome, Failure) else outcome.failure
        return Reply(
            value=parsed.value if failure is None else None,
            text=attempt.text if attempt else "",
            model=attempt.model if attempt else "",
            failure=failure,
            partial=parsed.partial and failure is None,
            mended=parsed.mended if failure is None else (),
            seconds=time.monotonic() - began,
        )

    async def _answer(
        self, question: Question, caller: Caller, parser: ReplyParser | None = None
    ) -> CallOutcome | Failure:
        """Answer a question; an error inside the gateway is a failure of this call alone."""
        try:
            return await ask_models(question, caller, self.desk, parser or _accept)
        except Exception as error:  # noqa: BLE001 - the calls of other cells go on
            message = f"the gateway could not make the call: {type(error).__name__}: {error}"
            return Failure(kind=FailureKind.configuration, message=self.redact(message))

    async def _serve(
        self, door: OpenDoor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one call. The end of the stream means that the cell has ended."""
        call = asyncio.current_task()
        if call is not None:
            door.calls.add(call)
            call.add_done_callback(door.calls.discard)
        line = CellLine(reader, writer)
        try:
            if door.path.name not in self._doors:
                return  # It was closed while this connection was being made.
            message = await line.receive()
            question, parses = Question.from_message(message), bool(message["judged"])
            answer = asyncio.ensure_future(
                self._answer(question, door.caller, line.parse if parses else None)
            )
            gone = asyncio.ensure_future(line.gone())
            try:
                await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (answer, gone):
                    if not task.done():
                        task.cancel()
                await _outlast(answer, gone)
            if answer.cancelled():
                return
            await line.send({"ended": end_of(answer.result())})
        except (ConnectionError, EOFError, ValueError, KeyError, TypeError, RecursionError):
            return  # The cell ended, or broke the protocol: there is no receiver.
        except asyncio.CancelledError:
            return  # The door was closed; asyncio's streams log an error if this is raised.
        finally:
            writer.close()

    def _limits_of(self, model: Model) -> Limits:
        if model.name not in self._limits:
            self._limits[model.name] = Limits(model, self._turn)
        return self._limits[model.name]

    async def _provider(self, model: Model) -> Provider:
        """Return the provider of `model`, importing its SDK once, off the event loop."""
        building = self._providers.get(model.name)
        if building is None:
            work = in_daemon_thread(lambda: self._build(model), f"provider of {model.name}")
            building = asyncio.ensure_future(work)
            self._providers[model.name] = building
        try:
            async with asyncio.timeout(_SECONDS_TO_BUILD):
                provider = await asyncio.shield(building)
        except TimeoutError as error:
            raise ConfigError(
                f"{model.name}: its provider was not ready within {_SECONDS_TO_BUILD:g} s. Look "
                "for code that waits while it is imported."
            ) from error
        if isinstance(provider, ServedProvider):
            await provider.prepare()
        return provider

    async def warm(self, models: Iterable[Model]) -> None:
        """Import the SDKs of `models` now, so that the first calls do not wait for it."""
        await asyncio.gather(*(self._provider(m) for m in models), return_exceptions=True)


async def _outlast(*tasks: asyncio.Future[Any]) -> None:
    """Wait until cancelled tasks have ended, however often the wait is cancelled.

    A second cancellation would interrupt their clean-up and leave connections open.
    """
    while pending := [task for task in tasks if not task.done()]:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait(pending)
    for task in tasks:
        if not task.cancelled():
            task.exception()  # Otherwise the event loop logs it as an error that nobody handled.


async def _parsed(reply: OfferedReply, schema: type[R]) -> ParsedReply[R]:
    """Parse a reply; a long one in a thread, because it may take seconds."""

    def work() -> ParsedReply[R]:
        return parse(reply.text, schema, cut_off=reply.cut_off, last=reply.last)

    return work() if len(reply.text) <= _LONG_TEXT else await asyncio.to_thread(work)


async def _accept(_: OfferedReply) -> ParseResult:
    return ParseResult()
