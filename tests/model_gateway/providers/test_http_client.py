"""No redirect is followed and no reply is unbounded, whatever the client and the format."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from model_gateway import providers
from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.large_replies import is_complex, simplified
from model_gateway.provider import Answer, Origin, ProviderError, Request
from tests.model_gateway.providers.conftest import FORMATS
from tests.wire.script import Raw, Say, Step
from tests.wire.server import WireServer
from tools.hostile.faults import all_faults
from tools.hostile.wire import HostileServer

KEY_VARIABLE, KEY = "LOOPBACK_KEY", "sk-loopback-0123456789abcdef"
LLAMA_INDEX = {
    "openai": "llama_index.llms.openai:OpenAI",
    "openai_like": "llama_index.llms.openai_like:OpenAILike",
}
BOUNDS = {
    "redirect-302": "names another address",
    "redirect-key": "names another address",
    "redirect-relative": "names another address",
    "redirect-self": "names another address",
    "gzip-bomb": "larger than 8 MB after decompression",
    "gzip-nested": "larger than 8 MB after decompression",
    "gzip-9-times": "compressed 9 times",
    "gzip-torn": "breaks off",
    "gzip-plain": "its compression is broken",
    "coding-br": "its content coding 'br' was not asked for",
    "body-9-mb": "larger than 8 MB",
    "body-endless": "larger than",
    "chunk-endless": "larger than",
    "chunk-tiny": "in more than 100000 pieces",
    "header-endless": "Receive buffer too long",
    "interim-endless": "headers are larger than",
    "body-many-commas": "more than 200000 parts",
    "body-many-objects": "more than 200000 parts",
}
SOUND = (
    "gzip-sound", "deflate-sound", "type-zlib", "type-idna", "type-html", "type-none",
    "body-padded", "location-with-200", "header-cookie", "coding-identity", "gzip-tail",
)  # fmt: skip


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY)


@pytest.fixture(scope="module")
def server() -> Iterator[HostileServer]:
    """Return a server with every fault, for requests without a schema too."""
    acts = {fault.name: fault.act for fault in all_faults()}
    with HostileServer(acts=acts, key=KEY, pings_too=True) as serving:
        yield serving


def entry(provider: str, url: str, name: str, **more: Any) -> Model:
    """Return an entry whose requests meet a fault."""
    values = {"name": "m", "provider": provider, "model_id": f"m/{name}", "base_url": url}
    return Model.model_validate({**values, "key_env": KEY_VARIABLE, **more})


def request_of(model: Model) -> Request:
    """Return a small request."""
    origin = Origin(plan="", key="", call_id="", repeat=0, number=1, seed=1)
    return Request(
        model_id=model.model_id, messages=[{"role": "user", "content": "Hello"}], schema=None,
        schema_name="R", max_output_tokens=9, arguments={}, origin=origin,
    )  # fmt: skip


def sent(model: Model, *, times: int = 1) -> list[Answer]:
    """Send a request with one client, once or several times."""

    async def scenario() -> list[Answer]:
        provider = providers.build(model)
        try:
            return [await provider.send(request_of(model)) for _ in range(times)]
        finally:
            await provider.close()

    return asyncio.run(scenario())


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("fault", BOUNDS)
def test_bounds_hold_in_every_format(server: HostileServer, wire_format: str, fault: str) -> None:
    """What is too much, or elsewhere, is a failure that says what it was; no key is in it."""
    strayed = server.strayed
    with pytest.raises(ProviderError, match=BOUNDS[fault]) as caught:
        sent(entry(wire_format, server.url(wire_format), fault))
    kinds = {FailureKind.configuration, FailureKind.connection}
    assert caught.value.kind in kinds
    assert KEY not in str(caught.value)
    assert server.strayed == strayed


@pytest.mark.parametrize("wire_format", FORMATS)
@pytest.mark.parametrize("fault", SOUND)
def test_what_is_sound_is_read(server: HostileServer, wire_format: str, fault: str) -> None:
    """Compressed, oddly labelled and padded replies are replies."""
    [answer] = sent(entry(wire_format, server.url(wire_format), fault))
    assert json.loads(answer.text)["topic"] == "Tools"


@pytest.mark.parametrize("wire_format", FORMATS)
def test_reply_that_nobody_asked_for_answers_nothing(
    server: HostileServer, wire_format: str
) -> None:
    """A second reply on the same connection is not taken for the next request's."""
    answers = sent(entry(wire_format, server.url(wire_format), "reply-twice"), times=3)
    assert [json.loads(answer.text)["topic"] for answer in answers] == ["Tools"] * 3


@pytest.mark.parametrize("class_path", LLAMA_INDEX.values())
@pytest.mark.parametrize(
    ("step", "words"),
    [
        (Raw(body=b"", code=307, headers={"Location": "/v1/elsewhere"}), "names another address"),
        (Raw(body=b" " * 9_000_000), "larger than 8 MB"),
        (
            Raw(body=gzip.compress(b" " * 90_000_000, 1), headers={"Content-Encoding": "gzip"}),
            "after decompression",
        ),
    ],
    ids=["redirect", "large", "bomb"],
)
def test_bounds_hold_inside_other_libraries(class_path: str, step: Step, words: str) -> None:
    """The clients that a llama-index class creates for itself have the same bounds."""
    with WireServer("openai", step) as server:
        options = {"api_base": server.base_url, "is_chat_model": True}
        options = options if "like" in class_path else {"api_base": server.base_url}
        model = entry(
            "llama_index", server.base_url, "gpt-4o", class_path=class_path, options=options,
            model_id="gpt-4o",
        )  # fmt: skip
        with pytest.raises(ProviderError, match=words):
            sent(model)
        assert len(server.requests) == 1


@pytest.mark.parametrize("wire_format", FORMATS)
def test_cookies_of_a_server_are_not_kept(wire_format: str) -> None:
    """What one call's reply stores does not go out with the calls of other cells."""
    with WireServer(wire_format, Say(text="1")) as server:
        sent(entry(wire_format, server.base_url, "plain"), times=2)
        assert "cookie" not in server.requests[1].headers


def test_reply_of_many_parts_is_read_elsewhere() -> None:
    """Its text arrives; what takes long to parse stays in the process that parsed it."""
    choice = {"message": {"content": "hello"}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2}
    reply = {"model": "m", "choices": [choice], "usage": usage, "other": [1] * 300_000}
    body = json.dumps(reply).encode()
    assert is_complex(body)
    plain = asyncio.run(simplified(body, "openai"))
    assert len(plain) < 500
    assert json.loads(plain)["choices"][0]["message"]["content"] == "hello"
    assert json.loads(plain)["usage"]["prompt_tokens"] == 3


def test_ordinary_reply_is_left_as_it_is() -> None:
    """A reply as models write it is parsed where it arrives."""
    body = json.dumps({"choices": [{"message": {"content": "a, b: [c] {d}" * 5_000}}]}).encode()
    assert asyncio.run(simplified(body, "openai")) is body
