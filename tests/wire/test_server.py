"""The loopback server itself, since so much is measured with it."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.wire import Hang, Seen, WireServer

PATHS = {"openai": "/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}
BODY: dict[str, Any] = {
    "model": "m-1", "max_tokens": 5, "messages": [{"role": "user", "content": "Any."}],
}  # fmt: skip


@pytest.mark.parametrize("wire", PATHS)
def test_reply_may_be_made_from_the_request(wire: str) -> None:
    """The callback sees the request, and what it returns is said in the server's format."""

    def reply(seen: Seen) -> str:
        return f"{seen.messages[-1]['content']} {seen.path}"

    with WireServer(wire, reply=reply) as server:
        answer = httpx.post(server.base_url + PATHS[wire], json=BODY)
    assert answer.status_code == 200
    assert f"Any. {server.requests[0].path}" in answer.text


def test_requests_are_answered_side_by_side() -> None:
    """The delay of one reply holds up no other, and connections are used again."""
    with WireServer("ollama", "hello", delay=0.2) as server, httpx.Client() as client:
        began = time.monotonic()
        with ThreadPoolExecutor(20) as pool:
            url = server.base_url + PATHS["ollama"]
            answers = list(pool.map(lambda _: client.post(url, json=BODY), range(40)))
    assert {answer.status_code for answer in answers} == {200}
    assert time.monotonic() - began < 40 * 0.2  # what they take one after the other
    assert len(server.requests) == 40


def test_unknown_path_is_an_error() -> None:
    """A client that asks for something else gets an error and is not counted."""
    with WireServer("ollama", "hello") as server:
        answer = httpx.post(f"{server.base_url}/api/show", json=BODY)
    assert answer.status_code == 404
    assert server.requests == []


def test_client_that_stays_has_abandoned_nothing() -> None:
    """Only a client that leaves before its reply is whole counts as gone."""
    with WireServer("ollama", "hello", Hang()) as server:
        url = server.base_url + PATHS["ollama"]
        httpx.post(url, json=BODY)
        assert not server.wait_abandoned(1, 0.1)
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(url, json=BODY, timeout=0.1)
        assert server.wait_abandoned(1)
    assert server.abandoned == 1


def test_broken_callback_is_not_hidden() -> None:
    """What goes wrong in a test's own callback is raised when the server closes."""

    def reply(_: Seen) -> str:
        raise LookupError("my own mistake")

    with (
        pytest.raises(LookupError, match="my own mistake"),
        WireServer("ollama", reply=reply) as server,
        pytest.raises(httpx.RemoteProtocolError),
    ):
        httpx.post(server.base_url + PATHS["ollama"], json=BODY)
