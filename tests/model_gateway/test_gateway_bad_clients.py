"""Whatever comes through a socket, it harms nobody but who sent it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model_gateway import gateway as gateway_module
from model_gateway.attempt import Attempt
from model_gateway.call import Call, Reply
from model_gateway.door import Door
from model_gateway.gateway import Gateway, OpenDoor
from model_gateway.journal import read_attempts
from model_gateway.provider import Answer, Request
from tests.model_gateway.conftest import Fruit, MakeCaller, Scripted, a_model, built_from
from tests.model_gateway.fruit_calls import ASK, GOOD
from tests.waiting import LONGEST

CALL = Call(key="fruit", system="Name a fruit.", user="Any.", schema=Fruit, max_output_tokens=100)
QUESTION = {
    "key": "fruit", "messages": ASK, "schema": Fruit.model_json_schema(), "schema_name": "Fruit",
    "max_output_tokens": 100, "arguments": {}, "judged": True,
}  # fmt: skip


def line(message: Any) -> bytes:
    """Return a message as it goes over the wire."""
    return json.dumps(message).encode() + b"\n"


def rows(tmp_path: Path) -> list[Attempt]:
    """Return what stands in the journal."""
    return read_attempts(tmp_path / "attempts.jsonl")


class Client:
    """One connection to a door, on which anything may be said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, data: bytes) -> None:
        """Send bytes."""
        self.writer.write(data)
        await self.writer.drain()

    async def hear(self) -> dict[str, Any]:
        """Return the next message of the gateway."""
        heard: dict[str, Any] = json.loads(await self.reader.readline())
        return heard

    async def hears_the_end(self) -> bytes:
        """Return what else comes until the gateway closes the connection."""
        async with asyncio.timeout(LONGEST):
            return await self.reader.read()


@asynccontextmanager
async def connected(door: OpenDoor) -> AsyncIterator[Client]:
    """Connect to a door."""
    reader, writer = await asyncio.open_unix_connection(door.path, limit=2**28)
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def good_call(door: OpenDoor) -> Reply[Fruit]:
    """Put an ordinary call through a door."""
    return await asyncio.to_thread(Door(door.path), CALL)


@pytest.fixture(autouse=True)
def _nothing_is_logged(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """An error that nobody handles is logged by the event loop; there is to be none."""
    yield
    gc.collect(1)
    assert [*caplog.get_records("call"), *caplog.records] == []


BAD_QUESTIONS = [
    b"\n",
    b"hello\n",
    b"\xff\xfe\x00\n",
    b"{\n",
    b"null\n",
    b"[]\n",
    b'"text"\n',
    b"42\n",
    b"{}\n",
    b"[" * 200_000 + b"\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    *(line({k: v for k, v in QUESTION.items() if k != left_out}) for left_out in ("key", "schema")),
    *(
        line({**QUESTION, **wrong})
        for wrong in (
            {"messages": 5},
            {"messages": ["hello"]},
            {"messages": [{"role": "user"}]},
            {"max_output_tokens": "many"},
            {"max_output_tokens": -1_000_000},
            {"max_output_tokens": 0},
            {"max_output_tokens": 1.5},
        )
    ),
]


@pytest.mark.parametrize("data", BAD_QUESTIONS, ids=lambda data: repr(data[:20]))
def test_what_is_no_question_ends_its_connection_alone(
    make_caller: MakeCaller, tmp_path: Path, data: bytes
) -> None:
    """Nothing is sent or recorded, the connection is closed, and the next call is answered."""
    provider = Scripted(GOOD)

    async def scenario() -> tuple[bytes, int, Reply[Fruit]]:
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(make_caller())
            async with connected(door) as client:
                await client.say(data)
                received = await client.hears_the_end()
            request_count = len(provider.requests)
            return received, request_count, await good_call(door)

    received, request_count, reply = asyncio.run(scenario())
    assert (received, request_count) == (b"", 0)
    assert reply.failure is None
    assert len(rows(tmp_path)) == 1


@pytest.mark.parametrize(
    "wrong", [{"messages": []}, {"messages": [{"role": "user", "content": 5}]}]
)
def test_question_that_cannot_be_put_is_a_failure(
    make_caller: MakeCaller, wrong: dict[str, Any]
) -> None:
    """A well-formed question that makes no sense gets a failure."""

    async def scenario() -> dict[str, Any]:
        model = a_model(structured="prompt")
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            door = await gateway.open(make_caller(model))
            async with connected(door) as client:
                await client.say(line({**QUESTION, **wrong}))
                return await client.hear()

    failure = asyncio.run(scenario())["ended"]["failure"]
    assert failure["kind"] == "configuration"
    assert "the gateway could not make the call" in failure["message"]


@pytest.mark.parametrize("data", [b"", b'{"key": "fr', line(QUESTION)[:-1]])
def test_client_that_hangs_up_too_early_asks_nothing(
    make_caller: MakeCaller, tmp_path: Path, data: bytes
) -> None:
    """A question without its end of line is none."""
    provider = Scripted(GOOD)

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(make_caller())
            async with connected(door) as client:
                await client.say(data)
            return await good_call(door)

    assert asyncio.run(scenario()).failure is None
    assert len(rows(tmp_path)) == len(provider.requests) == 1


def test_question_may_come_in_drips(make_caller: MakeCaller) -> None:
    """A line that arrives byte by byte is as good."""

    async def scenario() -> dict[str, Any]:
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            door = await gateway.open(make_caller())
            async with connected(door) as client:
                for byte in line(QUESTION):
                    await client.say(bytes([byte]))
                    await asyncio.sleep(0)
                return await client.hear()

    assert asyncio.run(scenario())["text"] == GOOD


@pytest.mark.parametrize("way", ["close", "half-close"])
def test_client_that_hangs_up_in_the_call_is_charged(
    make_caller: MakeCaller, tmp_path: Path, way: str
) -> None:
    """The request is cancelled at once, recorded as cancelled and charged at its worst case."""

    async def scenario() -> tuple[float, float]:
        model = a_model(attempt_seconds=60)
        provider = Scripted(30.0)
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(make_caller(model))
            async with connected(door) as client:
                await client.say(line(QUESTION))
                await provider.begun.wait()
                if way == "half-close":
                    client.writer.write_eof()
                    assert await client.hears_the_end() == b""
            began = time.monotonic()
            await asyncio.gather(*door.calls, return_exceptions=True)
            return time.monotonic() - began, gateway.ledger.spent.dollars

    seconds, spent = asyncio.run(scenario())
    [row] = rows(tmp_path)
    assert row.status == "cancelled"
    assert spent > 0
    assert seconds < 30


class SlowToClose(Scripted):
    """Waits for a reply that does not come, and takes a while to clean up."""

    def __init__(self) -> None:
        super().__init__(30.0)
        self.closing = asyncio.Event()
        self.closed = False

    async def send(self, request: Request) -> Answer:
        """Wait to be cancelled, and close the connection in several steps."""
        try:
            return await super().send(request)
        finally:
            self.closing.set()
            for _ in range(20):
                await asyncio.sleep(0)
            self.closed = True


def test_closing_the_door_of_a_client_that_hung_up_lets_its_call_clean_up(
    make_caller: MakeCaller,
) -> None:
    """The call is cancelled once: a second time would leave its connection open."""

    async def scenario() -> bool:
        provider = SlowToClose()
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(make_caller(a_model(attempt_seconds=60)))
            async with connected(door) as client:
                await client.say(line(QUESTION))
                await provider.begun.wait()
            await provider.closing.wait()
            await gateway.close(door)
            return provider.closed

    assert asyncio.run(scenario())


def test_client_that_hangs_up_at_the_offer_leaves_the_reply(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """A reply that came is recorded, also when nobody is there to parse it."""

    async def scenario() -> None:
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            door = await gateway.open(make_caller())
            async with connected(door) as client:
                await client.say(line(QUESTION))
                assert (await client.hear())["text"] == GOOD
            await asyncio.gather(*door.calls, return_exceptions=True)

    asyncio.run(scenario())
    [row] = rows(tmp_path)
    assert (row.status, row.text, row.cost) == ("cancelled", GOOD, 20e-6)


BAD_VERDICTS = [
    b"hello\n",
    b"[]\n",
    b"null\n",
    b"{}\n",
    b'{"partial": false, "failure": {}}\n',
    b'{"partial": false, "failure": {"kind": "bored", "message": ""}}\n',
    b'{"partial": false, "failure": "no"}\n',
    b"[" * 200_000 + b"\n",
    b'{"partial": fal',
]


@pytest.mark.parametrize("data", BAD_VERDICTS, ids=lambda data: repr(data[:40]))
def test_what_is_no_verdict_ends_the_call_and_keeps_the_reply(
    make_caller: MakeCaller, tmp_path: Path, data: bytes
) -> None:
    """The reply is recorded once, no further attempt is made, and the next call is answered."""
    provider = Scripted(GOOD)

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(make_caller())
            async with connected(door) as client:
                await client.say(line(QUESTION))
                await client.hear()
                await client.say(data)
                if not data.endswith(b"\n"):
                    client.writer.write_eof()
                await client.hears_the_end()
            return await good_call(door)

    assert asyncio.run(scenario()).failure is None
    assert [row.status for row in rows(tmp_path)] == ["cancelled", "ok"]
    assert len(provider.requests) == 2


def test_large_message_passes(make_caller: MakeCaller, tmp_path: Path) -> None:
    """Fifty megabytes in and out again are slow but no trouble."""
    text = "x" * 50_000_000
    provider = Scripted(text)

    async def scenario() -> dict[str, Any]:
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(make_caller())
            messages = [{"role": "user", "content": text}]
            async with connected(door) as client:
                await client.say(line({**QUESTION, "messages": messages, "judged": False}))
                return await client.hear()

    ended = asyncio.run(scenario())["ended"]
    assert ended["failure"] is None
    assert ended["text"] == provider.requests[0].messages[0]["content"] == text
    assert (tmp_path / "attempts.jsonl").stat().st_size > 2 * len(text)


def test_endless_line_is_not_taken_in(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line above the limit ends its connection instead of filling the memory."""
    monkeypatch.setattr(gateway_module, "_LONGEST_LINE", 100_000)

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            door = await gateway.open(make_caller())
            async with connected(door) as client:
                with contextlib.suppress(ConnectionError):
                    await client.say(b"x" * 10_000_000)
                    assert await client.hears_the_end() == b""
            return await good_call(door)

    assert asyncio.run(scenario()).failure is None


def test_many_connections_at_once_are_all_answered(make_caller: MakeCaller, tmp_path: Path) -> None:
    """Two hundred threads of one step wait for their turns and all get their replies."""

    async def scenario() -> list[Reply[Fruit]]:
        loop = asyncio.get_running_loop()
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            door = await gateway.open(make_caller(a_model(workers=8)))
            calls = [replace(CALL, key=str(n)) for n in range(200)]
            with ThreadPoolExecutor(200) as threads:
                put = (loop.run_in_executor(threads, Door(door.path), call) for call in calls)
                return await asyncio.gather(*put)

    assert all(reply.value is not None for reply in asyncio.run(scenario()))
    assert {row.key for row in rows(tmp_path)} == {str(n) for n in range(200)}
