"""The one process that talks to models: it opens a door for each cell and answers behind it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from model_gateway import providers
from model_gateway.attempt import Attempt
from model_gateway.attempts import CallOutcome, Judge, Offer, Question, Verdict, converse
from model_gateway.call import Call, Failure, FailureKind, R, Reply
from model_gateway.config import Model
from model_gateway.door import schema_of
from model_gateway.exchange import Asker, CallDesk
from model_gateway.keys import Redactor
from model_gateway.ledger import Ledger
from model_gateway.limits import Limits, Turn
from model_gateway.provider import Build, Provider
from model_gateway.replies import Judgement, judge

if TYPE_CHECKING:
    from model_gateway.http_door import HttpDoor, HttpServer

_LONGEST_LINE = 256 * 1024 * 1024


@dataclass(eq=False)
class OpenDoor:
    """A cell's door as the gateway sees it, until it is closed."""

    asker: Asker
    path: Path
    server: asyncio.Server | None = None
    calls: set[asyncio.Task[None]] = field(default_factory=set)


class Gateway:
    """Answers the calls of many cells side by side.

    Use it as an async context manager. `key_variables` are the environment variables that hold
    keys; their values are taken out of everything that is recorded or told. `build` makes the
    provider of a model. The `ledger` may be exchanged until the first door is opened.
    """

    def __init__(
        self,
        *,
        ledger: Ledger | None = None,
        key_variables: Iterable[str] = (),
        build: Build = providers.build,
    ) -> None:
        self.ledger = ledger or Ledger()
        self.redact = Redactor(key_variables)
        self._build = build
        self._doors: dict[str, OpenDoor] = {}
        self._providers: dict[str, asyncio.Future[Provider]] = {}
        self._limits: dict[str, Limits] = {}
        self._turn = Turn()
        self._http: HttpServer | None = None
        self._http_starts = asyncio.Lock()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._opened = 0

    async def __aenter__(self) -> Self:
        # A short path: the name of a socket may have little more than 100 characters.
        self._folder = tempfile.TemporaryDirectory(prefix="gw-")
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
                    await (await building).close()
        finally:
            if self._folder is not None:
                self._folder.cleanup()

    async def open(self, asker: Asker) -> OpenDoor:
        """Open a socket for one cell; who connects to `path` speaks for that cell."""
        if self._folder is None:
            raise RuntimeError("The gateway is used as an async context manager.")
        asker.journal.begin(asker.cell, asker.repeat)
        self._opened += 1
        path = Path(self._folder.name) / f"{self._opened:x}"
        door = OpenDoor(asker=asker, path=path)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._serve(door, reader, writer)

        door.server = await asyncio.start_unix_server(serve, path, limit=_LONGEST_LINE)
        self._doors[path.name] = door
        return door

    async def open_http(self, asker: Asker) -> HttpDoor:
        """Open a URL for one cell, for code that speaks OpenAI's, Anthropic's or Ollama's way."""
        async with self._http_starts:
            if self._http is None:
                # The web server takes 0.2 s to import, and most gateways need no HTTP door.
                from model_gateway.http_door import HttpServer

                self._http = await HttpServer(self._put).start()
        asker.journal.begin(asker.cell, asker.repeat)
        return self._http.open(asker)

    async def close(self, door: OpenDoor | HttpDoor) -> None:
        """Close a door: calls still under way are cancelled, and charged at their reservation."""
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
            ledger=self.ledger, redact=self.redact, provider=self._provider, limits=self._limits_of
        )

    async def answer(self, question: Question, asker: Asker) -> CallOutcome:
        """Answer a question of this very process, whose text nobody judges here."""
        return await converse(question, asker, self.desk, _accept)

    async def ask(self, call: Call[R], asker: Asker) -> Reply[R]:
        """Answer a call of this very process; its replies are read, and told back, here."""
        found: Judgement[R] = Judgement()
        began = time.monotonic()

        async def read(offer: Offer) -> Verdict:
            nonlocal found
            found = judge(offer.text, call.schema, cut_off=offer.cut_off, last=offer.last)
            return Verdict(partial=found.partial, failure=found.failure)

        question = Question(
            key=call.key,
            messages=[
                {"role": "system", "content": call.system},
                {"role": "user", "content": call.user},
            ],
            schema=schema_of(call.schema),
            schema_name=call.schema.__name__,
            max_output_tokens=call.max_output_tokens,
        )
        outcome = await self._put(question, asker, read)
        attempt = None if isinstance(outcome, Failure) else outcome.attempt
        failure = outcome if isinstance(outcome, Failure) else outcome.failure
        return Reply(
            value=found.value if failure is None else None,
            text=attempt.text if attempt else "",
            model=attempt.model if attempt else "",
            failure=failure,
            partial=found.partial and failure is None,
            seconds=time.monotonic() - began,
        )

    async def _put(
        self, question: Question, asker: Asker, judge: Judge | None = None
    ) -> CallOutcome | Failure:
        """Answer a question; what breaks inside the gateway is a failure of this call alone."""
        try:
            return await converse(question, asker, self.desk, judge or _accept)
        except Exception as error:  # noqa: BLE001 - the calls of other cells go on
            told = f"the gateway could not make the call: {type(error).__name__}: {error}"
            return Failure(kind=FailureKind.configuration, message=self.redact(told))

    async def _serve(
        self, door: OpenDoor, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer one call. The end of the stream means that the cell is gone."""
        task = asyncio.current_task()
        if task is not None:
            door.calls.add(task)
            task.add_done_callback(door.calls.discard)
        line = _Line(reader, writer)
        try:
            if door.path.name not in self._doors:
                return  # It was closed while this connection was being made.
            question, judged = _question(await line.hear())
            talk = asyncio.ensure_future(
                self._put(question, door.asker, line.judge if judged else None)
            )
            gone = asyncio.ensure_future(line.gone())
            try:
                await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for side in (talk, gone):
                    if not side.done():
                        side.cancel()
                await asyncio.gather(talk, gone, return_exceptions=True)
            if talk.cancelled():
                return
            await line.say({"ended": _ended(talk.result())})
        except (ConnectionError, EOFError, ValueError, KeyError, TypeError, RecursionError):
            return  # The cell went away, or did not speak the protocol: nobody is left to tell.
        except asyncio.CancelledError:
            return  # The door was closed; asyncio's streams complain when this is passed on.
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
            building = asyncio.ensure_future(asyncio.to_thread(self._build, model))
            self._providers[model.name] = building
        return await asyncio.shield(building)

    async def warm(self, models: Iterable[Model]) -> None:
        """Import the SDKs of `models` now, so that the first calls need not wait for it."""
        await asyncio.gather(*(self._provider(m) for m in models), return_exceptions=True)


class _Line:
    """The lines of one connection: questions and verdicts in, offers and the end out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def hear(self) -> dict[str, Any]:
        line = await self._reader.readline()
        if not line.endswith(b"\n"):
            raise EOFError
        message: dict[str, Any] = json.loads(line)
        return message

    async def say(self, message: dict[str, Any]) -> None:
        self._writer.write(json.dumps(message).encode() + b"\n")
        await self._writer.drain()

    async def gone(self) -> None:
        """Pass on what the cell says, and return when it says no more."""
        with contextlib.suppress(EOFError, ConnectionError, ValueError):
            while True:
                self._heard.put_nowait(await self.hear())

    async def judge(self, offer: Offer) -> Verdict:
        await self.say({"text": offer.text, "cut_off": offer.cut_off, "last": offer.last})
        told = await self._heard.get()
        failure = told["failure"]
        if failure is not None:
            failure = Failure(kind=FailureKind(failure["kind"]), message=failure["message"])
        return Verdict(partial=bool(told["partial"]), failure=failure)


async def _accept(_: Offer) -> Verdict:
    return Verdict()


def _question(message: dict[str, Any]) -> tuple[Question, bool]:
    most = message["max_output_tokens"]
    if not isinstance(most, int) or most < 1:
        raise ValueError("max_output_tokens is no number of tokens")
    return (
        Question(
            key=str(message["key"]),
            messages=[{"role": m["role"], "content": m["content"]} for m in message["messages"]],
            schema=message["schema"],
            schema_name=message["schema_name"],
            max_output_tokens=most,
            arguments=message.get("arguments", {}),
            place=message.get("place"),
        ),
        bool(message["judged"]),
    )


def _ended(outcome: CallOutcome | Failure) -> dict[str, Any]:
    if isinstance(outcome, Failure):
        return _end(None, outcome)
    return _end(outcome.attempt, outcome.failure)


def _end(attempt: Attempt | None, failure: Failure | None) -> dict[str, Any]:
    return {
        "text": attempt.text if attempt else "",
        "model": attempt.model if attempt else "",
        "failure": failure and {"kind": failure.kind, "message": failure.message},
        "finish_reason": attempt.finish_reason if attempt else None,
        "input_tokens": attempt.input_tokens if attempt else None,
        "output_tokens": attempt.output_tokens if attempt else None,
    }
