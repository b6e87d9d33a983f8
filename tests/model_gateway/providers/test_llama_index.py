"""Any llama-index LLM class as a provider: one with an asynchronous side, and one without."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from model_gateway import providers
from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.errors import ConfigError
from tests.model_gateway.conftest import Fruit
from tests.model_gateway.providers.conftest import CALL, GOOD, KEY, KEY_VARIABLE, Ask
from tests.waiting import stretched
from tests.wire import Cut, Hang, Say, Status, WireServer

OPENAI_LIKE = "llama_index.llms.openai_like:OpenAILike"
PLUGS = "tests.model_gateway.providers.plugs"


def plug(class_path: str, options: dict[str, Any], **changes: Any) -> Model:
    """Return an entry for a llama-index class."""
    values: dict[str, Any] = {
        "name": "plugged",
        "provider": "llama_index",
        "model_id": "m-1",
        "class_path": class_path,
        "structured": "prompt",
        "options": options,
        "price": {"input": 1.0, "output": 2.0},
        "max_attempts": 2,
        "attempt_seconds": 60,
        "deadline_seconds": 120,
    }
    return Model.model_validate({**values, **changes})


def like(server: WireServer, **changes: Any) -> Model:
    """Return an entry for llama-index's own class for servers of the OpenAI format."""
    options = {"api_base": server.base_url, "is_chat_model": True}
    return plug(OPENAI_LIKE, options, key_env=KEY_VARIABLE, **changes)


def plugged(server: WireServer, name: str = "SyncOnly", **changes: Any) -> Model:
    """Return an entry for one of the classes in `plugs`."""
    return plug(f"{PLUGS}:{name}", {"url": server.base_url}, **changes)


def test_class_gets_model_key_bound_and_arguments(ask: Ask) -> None:
    """The request that reaches the server holds what the entry and the call say."""
    with WireServer("openai", GOOD) as server:
        asked = ask(like(server, arguments={"temperature": 0.4, "seed": 9}))
    [request] = server.requests
    assert asked.reply.value == Fruit(name="fig", seeds=[1, 2])
    assert request.key == KEY
    assert (request.body["model"], request.max_tokens) == ("m-1", 100)
    assert (request.body["temperature"], request.body["seed"]) == (0.4, 9)
    assert [m["role"] for m in request.messages] == ["system", "user"]
    assert '"seeds"' in request.messages[0]["content"]


def test_usage_comes_from_the_raw_reply(ask: Ask) -> None:
    """Tokens and the finish reason are read from what the class keeps of the reply."""
    say = Say(text=GOOD, input_tokens=321, output_tokens=45, thinking_tokens=6)
    with WireServer("openai", say) as server:
        row = ask(like(server)).row
    assert (row.input_tokens, row.output_tokens, row.thinking_tokens) == (321, 45, 6)
    assert (row.finish_reason, row.reported_model) == ("stop", "m-1-served")
    assert row.cost == pytest.approx(321e-6 + 2 * 45e-6, abs=1e-15)


@pytest.mark.parametrize("name", ["SyncOnly", "WithoutAsync"])
def test_class_without_an_asynchronous_side_works(ask: Ask, name: str) -> None:
    """Such a class is called in a thread, and its Ollama-shaped raw reply is understood."""
    with WireServer("ollama", Say(text=GOOD, input_tokens=8, output_tokens=9)) as server:
        asked = ask(plugged(server, name, arguments={"marker": "mine", "beside": 1}))
    assert asked.reply.value == Fruit(name="fig", seeds=[1, 2])
    assert (asked.row.input_tokens, asked.row.output_tokens) == (8, 9)
    assert server.requests[0].body["marker"] == "mine"
    assert server.requests[0].body["beside"] == 1


def test_counts_beside_the_reply_are_taken(ask: Ask) -> None:
    """Without a raw reply, the counts that llama-index keeps beside it count."""
    with WireServer("ollama", GOOD) as server:
        row = ask(plugged(server, "Counting")).row
    assert (row.input_tokens, row.output_tokens) == (3, 4)


@pytest.mark.parametrize(
    ("step", "kind", "message"),
    [
        (Status(code=429), FailureKind.rate_limit, "429: the server says no"),
        (Status(code=500), FailureKind.server, "500: the server says no"),
        (Status(code=401, echo_key=True), FailureKind.access, "[key hidden]"),
        (Cut(text=GOOD), FailureKind.connection, "broke"),
    ],
)
def test_errors_are_reported_as_any_providers(
    ask: Ask, step: Any, kind: FailureKind, message: str
) -> None:
    """A class's errors are known by their status or kind, and it does not retry by itself."""
    with WireServer("openai", step) as server:
        asked = ask(like(server, max_attempts=1))
    assert len(server.requests) == 1
    assert asked.row.failure_kind is kind
    assert message in (asked.row.failure_message or "")
    assert KEY not in asked.journal


def test_errors_of_a_synchronous_class_are_reported_too(ask: Ask) -> None:
    """An error crosses from the thread as it is, Retry-After included."""
    slow = Status(code=429, headers={"Retry-After-Ms": "600"})
    with WireServer("ollama", slow, GOOD) as server:
        asked = ask(plugged(server))
    assert [row.failure_kind for row in asked.attempts] == [FailureKind.rate_limit, None]
    assert server.requests[1].at - server.requests[0].at >= 0.6


def test_asynchronous_call_ends_at_the_deadline(ask: Ask) -> None:
    """A hanging server ends in a timeout, and its connection is closed."""
    limit = stretched(0.2)
    with WireServer("openai", Hang()) as server:
        asked = ask(like(server, max_attempts=1, attempt_seconds=limit))
        assert server.wait_abandoned(1)
    assert asked.row.failure_kind is FailureKind.timeout
    assert asked.seconds < limit + stretched(1)


def test_thread_that_cannot_be_ended_is_left_behind(ask: Ask) -> None:
    """The call and the gateway end in time although the class is still waiting."""
    began = time.monotonic()
    with WireServer("ollama", GOOD) as server:
        asked = ask(plugged(server, "Sleepy", max_attempts=1, attempt_seconds=0.1))
    assert asked.row.failure_kind is FailureKind.timeout
    assert time.monotonic() - began < 10  # the class sleeps as long
    left = [t for t in threading.enumerate() if t.name == "llama-index-chat"]
    assert left
    assert all(thread.daemon for thread in left)


def test_bound_differs_from_call_to_call(ask: Ask) -> None:
    """Each call's own bound reaches the server, although classes take it when they are made."""
    with WireServer("openai", GOOD) as server:
        model = like(server)
        ask(model)
        ask(model, CALL.__class__(key="k", system="Say.", user="It.", schema=Fruit))
    assert [seen.max_tokens for seen in server.requests] == [100, 8192]


@pytest.mark.parametrize(
    ("class_path", "message"),
    [
        (None, "class_path is None; write"),
        ("llama_index.llms", "class_path is 'llama_index.llms'; write"),
        ("no_such_package:Thing", "No module named 'no_such_package'. Install the package"),
        (f"{PLUGS}:Missing", "has no attribute 'Missing'. Install the package"),
        (f"{PLUGS}:NOT_A_CLASS", "is not a llama-index LLM class"),
        (f"{PLUGS}:SyncOnly", "url: Field required"),
    ],
)
def test_wrong_class_path_is_reported_with_its_remedy(class_path: str | None, message: str) -> None:
    """A class that cannot be found or made is an error of the configuration."""
    with pytest.raises(ConfigError) as caught:
        providers.build(plug("x:y", {}).model_copy(update={"class_path": class_path}))
    assert "plugged: " in str(caught.value)
    assert message in " ".join(str(caught.value).split())


def test_unused_provider_closes() -> None:
    """Closing before the first call does nothing."""
    options = {"api_base": "http://127.0.0.1:1/v1", "is_chat_model": True}
    provider = providers.build(plug(OPENAI_LIKE, options))
    asyncio.run(provider.close())
