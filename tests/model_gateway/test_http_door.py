"""The HTTP door whatever the format: errors, keys, attribution and closing."""

from __future__ import annotations

import asyncio
import http.client
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anthropic
import httpx
import ollama
import openai
import pytest

from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal
from model_gateway.ledger import Caps, Ledger
from model_gateway.provider import ProviderError
from tests.model_gateway.conftest import (
    MakeCaller,
    RecordingObserver,
    Scripted,
    a_model,
    built_from,
)
from tests.model_gateway.foreign import (
    ASK,
    CLAUDE_TOOL,
    GOOD,
    SCHEMA_FORMAT,
    TOOL,
    at_door,
    at_door_async,
    claude_at,
    ollama_at,
    openai_at,
    rows,
)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FailureKind.rate_limit, 429),
        (FailureKind.server, 502),
        (FailureKind.timeout, 504),
        (FailureKind.configuration, 400),
    ],
)
def test_final_failure_is_reported_once_and_never_asked_again(
    make_caller: MakeCaller, kind: FailureKind, status: int
) -> None:
    """SDKs with their retries on make one request; one that insists gets the same at once."""
    provider = Scripted(ProviderError(kind, "it broke"))
    requests: list[str] = []

    def use(url: str) -> list[int]:
        count = {"request": [lambda request: requests.append(request.url.path)]}
        statuses = []
        with (
            openai_at(url, http_client=openai.DefaultHttpxClient(event_hooks=count)) as first,
            claude_at(url, http_client=anthropic.DefaultHttpxClient(event_hooks=count)) as second,
        ):
            for _ in range(3):
                with pytest.raises(openai.APIStatusError, match="it broke") as caught:
                    first.chat.completions.create(model="m", messages=ASK)
                statuses.append(caught.value.status_code)
            with pytest.raises(anthropic.APIStatusError, match="it broke") as heard:
                second.messages.create(model="m", messages=ASK, max_tokens=9)
            statuses.append(heard.value.status_code)
        with (
            ollama_at(url) as third,
            pytest.raises(ollama.ResponseError, match="it broke") as ollama_error,
        ):
            third.chat(model="m", messages=ASK)
        return [*statuses, ollama_error.value.status_code]

    statuses = at_door(make_caller(a_model(max_attempts=1)), provider, use)
    assert statuses == [status] * 5
    assert len(requests) == 4
    assert len(provider.requests) == 1


def test_transport_retries_happen_inside_the_gateway(make_caller: MakeCaller) -> None:
    """A passing error is retried behind the door: the client sees one good reply."""
    provider = Scripted(ProviderError(FailureKind.server, "it broke"), "a fig")

    def use(url: str) -> Any:
        with openai_at(url, max_retries=0) as client:
            return client.chat.completions.create(model="m", messages=ASK)

    assert at_door(make_caller(), provider, use).choices[0].message.content == "a fig"
    assert len(provider.requests) == 2


def test_empty_budget_is_402(make_caller: MakeCaller) -> None:
    """Without room under the cap nothing is sent and the client gets the reason."""
    provider = Scripted("a fig")

    def use(url: str) -> Any:
        with openai_at(url) as client, pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model="m", messages=ASK)
        return caught.value

    error = at_door(make_caller(), provider, use, ledger=Ledger(Caps(calls=0)))
    assert error.status_code == 402
    assert "cap of 0 calls" in error.message
    assert provider.requests == []


def test_what_the_door_cannot_do_is_400_and_costs_nothing(make_caller: MakeCaller) -> None:
    """Free tools, images, several choices and malformed bodies are refused with a reason."""
    provider = Scripted("a fig")
    image: Any = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]
    other: Any = {"type": "function", "function": {"name": "other", "parameters": {}}}

    def use(url: str) -> list[str]:
        messages = []
        with openai_at(url) as client:
            bad: list[dict[str, Any]] = [
                {"messages": ASK, "tools": [TOOL, other]},
                {"messages": ASK, "tools": [TOOL, other], "tool_choice": "required"},
                {"messages": ASK, "tools": [TOOL]},
                {"messages": [{"role": "user", "content": image}]},
                {"messages": ASK, "n": 2},
                {"messages": []},
                {"messages": ASK, "response_format": {"type": "json_schema"}},
            ]
            for request in bad:
                with pytest.raises(openai.BadRequestError) as caught:
                    client.chat.completions.create(model="m", **request)
                messages.append(caught.value.message)
        with claude_at(url) as claude, pytest.raises(anthropic.BadRequestError) as heard:
            claude.messages.create(model="m", max_tokens=9, messages=ASK, tools=[CLAUDE_TOOL])
        messages.append(heard.value.message)
        with ollama_at(url) as third, pytest.raises(ollama.ResponseError) as refused:
            third.generate(model="m", prompt="x", images=[b"\x89PNG"])
        return [*messages, str(refused.value)]

    messages = at_door(make_caller(), provider, use)
    words = ["free tool", "free tool", "free tool", "image_url", "n=1", "messages", "no schema",
             "free tool", "image"]  # fmt: skip
    for word, message in zip(words, messages, strict=True):
        assert word in message
    assert provider.requests == []


def test_bad_bodies_unknown_paths_and_unknown_doors(make_caller: MakeCaller) -> None:
    """Each gets an error in the shape of the family that the client speaks."""

    def use(url: str) -> list[tuple[int, Any]]:
        there = "/".join(url.split("/")[:3])
        claude = {"anthropic-version": "2023-06-01"}
        with httpx.Client() as client:
            replies = [
                client.post(f"{url}/chat/completions", content=b"{not json"),
                client.post(f"{url}/v1/messages", content=b"[]"),
                client.post(f"{url}/api/chat", content=b"\xff"),
                client.post(f"{url}/v1/embeddings", json={}),
                client.post(f"{url}/v1/nonsense", json={}, headers=claude),
                client.post(f"{url}/api/pull", json={}),
                client.post(f"{there}/guessed/v1/chat/completions", json={"messages": ASK}),
                client.get(there),
                client.get(f"{url}/models"),
            ]
        return [(reply.status_code, reply.json()) for reply in replies]

    replies = at_door(make_caller(), Scripted("a fig"), use)
    assert [status for status, _ in replies] == [400, 400, 400, 404, 404, 404, 404, 404, 200]
    bodies = [body for _, body in replies]
    assert "not JSON" in bodies[0]["error"]["message"]
    assert bodies[1]["type"] == "error"
    assert isinstance(bodies[2]["error"], str)
    assert "embeddings" in bodies[3]["error"]["message"]
    assert bodies[4]["error"]["type"] == "not_found_error"
    assert "pull" in bodies[5]["error"]
    assert bodies[8]["data"][0]["id"] == "scripted-1"


def test_large_bodies_pass_up_to_the_limit(make_caller: MakeCaller) -> None:
    """A prompt of several megabytes passes; more than the limit is refused as too large."""
    provider = Scripted("a fig")

    def use(url: str) -> tuple[int, int]:
        with httpx.Client() as client:
            body = {"messages": [{"role": "user", "content": "x" * 5_000_000}]}
            passed = client.post(f"{url}/chat/completions", json=body)
        return passed.status_code, _oversized(url)

    assert at_door(make_caller(), provider, use) == (200, 413)
    assert len(provider.requests) == 1


def _oversized(url: str) -> int:
    """Announce a body that is too large, as a client that has not sent it yet."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port)
    connection.putrequest("POST", f"{parts.path}/chat/completions")
    connection.putheader("Content-Length", str(65 * 1024 * 1024))
    connection.endheaders()
    piece = b"x" * (1024 * 1024)
    try:
        for _ in range(65):
            connection.send(piece)
    except OSError:
        pass  # The door need not read to the end.
    status = connection.getresponse().status
    connection.close()
    return status


def test_keys_name_content_and_occurrence(make_caller: MakeCaller, tmp_path: Path) -> None:
    """The same question again is another occurrence; another question or schema another key."""

    def use(url: str) -> None:
        with openai_at(url) as client:
            create = client.chat.completions.create
            create(model="m", messages=ASK)
            create(model="m", messages=ASK)
            create(model="m", messages=ASK, response_format=SCHEMA_FORMAT)

    at_door(make_caller(), Scripted(GOOD), use)
    keys = [row.key for row in rows(tmp_path)]
    assert all(re.fullmatch(r"[0-9a-f]{12}\.\d", key) for key in keys)
    assert keys[0][:12] == keys[1][:12] != keys[2][:12]
    assert [key[-1] for key in keys] == ["0", "1", "0"]


def test_same_question_side_by_side_has_own_occurrences(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """Calls under way at the same time never share a key."""

    async def use(url: str) -> None:
        async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
            await asyncio.gather(
                *(client.chat.completions.create(model="m", messages=ASK) for _ in range(3))
            )

    at_door_async(make_caller(), Scripted(0.1, "a fig"), use)
    assert {row.key[-1] for row in rows(tmp_path)} == {"0", "1", "2"}


def test_second_session_replays_the_replies_of_the_first(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """A cell run again by another gateway gets its replies from the journal."""
    provider = Scripted("a fig", "a plum")

    def use(url: str) -> list[str | None]:
        with openai_at(url) as client:
            replies = [client.chat.completions.create(model="m", messages=ASK) for _ in range(2)]
            return [reply.choices[0].message.content for reply in replies]

    first = at_door(make_caller(), provider, use)
    heard = RecordingObserver()
    journal = FileJournal(tmp_path / "attempts.jsonl")
    second = at_door(make_caller(journal=journal, observer=heard), provider, use)
    assert first == second == ["a fig", "a plum"]
    assert len(provider.requests) == 2
    assert heard.replayed == [True, True]


@pytest.mark.parametrize("seconds", [1.0, 0.5])
def test_client_that_gives_up_waiting_gets_the_call_it_left(
    make_caller: MakeCaller, tmp_path: Path, seconds: float
) -> None:
    """An SDK that runs into its own time limit and retries joins its first call, done or not."""
    provider = Scripted(seconds)

    def use(url: str) -> Any:
        with openai_at(url, timeout=0.3, max_retries=5) as client:
            return client.chat.completions.create(model="m", messages=ASK)

    assert at_door(make_caller(), provider, use).choices[0].message.content == "{}"
    assert len(provider.requests) == 1
    assert [row.status for row in rows(tmp_path)] == ["ok"]


def test_two_cells_at_once_are_distinguished(make_caller: MakeCaller, tmp_path: Path) -> None:
    """Calls are the cell's whose URL was used, whatever the request says."""
    journal = FileJournal(tmp_path / "attempts.jsonl")
    models = a_model(), a_model(name="other", model_id="other-1")

    async def scenario() -> None:
        async with Gateway(build=built_from(Scripted("a fig"))) as gateway:
            doors = [
                await gateway.open_http(make_caller(model, cell=f"cell-{n}", journal=journal))
                for n, model in enumerate(models)
            ]

            async def talk(url: str, count: int) -> None:
                async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
                    for n in range(count):
                        asked: Any = [{"role": "user", "content": f"cell-9 asks {n}"}]
                        await client.chat.completions.create(model="m", messages=asked)

            await asyncio.gather(talk(doors[0].url, 4), talk(doors[1].url, 6))

    asyncio.run(scenario())
    callers = sorted((row.cell, row.model_id) for row in rows(tmp_path))
    assert callers == [("cell-0", "scripted-1")] * 4 + [("cell-1", "other-1")] * 6


def test_closing_the_door_ends_its_calls(make_caller: MakeCaller, tmp_path: Path) -> None:
    """The client hears at once, the attempt is recorded and charged, the URL is gone."""

    async def scenario() -> tuple[float, int, int, float]:
        provider = Scripted(30.0)
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open_http(make_caller(a_model(attempt_seconds=60)))
            asking = asyncio.ensure_future(asyncio.to_thread(_status, door.url))
            await provider.begun.wait()
            began = time.monotonic()
            await gateway.close(door)
            first = await asking
            seconds = time.monotonic() - began
            again = await asyncio.to_thread(_status, door.url)
            return seconds, first, again, gateway.ledger.spent.dollars

    def _status(url: str) -> int:
        with openai_at(url) as client, pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model="m", messages=ASK)
        return caught.value.status_code

    seconds, first, again, spent = asyncio.run(scenario())
    assert seconds < 15  # the attempt alone would take 30
    assert (first, again) == (503, 404)
    assert spent > 0
    assert [row.status for row in rows(tmp_path)] == ["cancelled"]


def test_gateway_that_ends_takes_its_doors_along(make_caller: MakeCaller, tmp_path: Path) -> None:
    """Leaving the gateway cancels calls at HTTP doors and closes the port."""

    async def scenario() -> str:
        provider = Scripted(30.0)
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open_http(make_caller(a_model(attempt_seconds=60)))
            client = openai.AsyncOpenAI(base_url=door.url, api_key="none", max_retries=0)
            asking = asyncio.ensure_future(client.chat.completions.create(model="m", messages=ASK))
            await provider.begun.wait()
        with pytest.raises(openai.APIError):
            await asking
        await client.close()
        return door.url

    url = asyncio.run(scenario())
    assert [row.status for row in rows(tmp_path)] == ["cancelled"]
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_keys_are_taken_out_of_errors(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a server says of a key never reaches the foreign code."""
    monkeypatch.setenv("SOME_KEY", "sk-very-secret")
    provider = Scripted(ProviderError(FailureKind.configuration, "bad key sk-very-secret"))

    def use(url: str) -> str:
        with openai_at(url) as client, pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="m", messages=ASK)
        return str(caught.value)

    model: Model = a_model()
    assert "secret" not in at_door(make_caller(model), provider, use, key_variables=["SOME_KEY"])


def test_gateway_alone_does_not_import_the_web_server() -> None:
    """What only the HTTP door needs is imported when the first one is opened."""
    code = "import sys, model_gateway.gateway; raise SystemExit('aiohttp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
