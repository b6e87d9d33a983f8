"""What goes to an Ollama server, and what is read from its replies."""

from __future__ import annotations

from typing import Any

import pytest

from model_gateway.call import Call, FailureKind
from tests.model_gateway.conftest import Fruit
from tests.model_gateway.providers.conftest import CALL, GOOD, KEY, Ask, entry
from tests.wire import Say, Seen, Status, WireServer


def seen(ask: Ask, **changes: Any) -> Seen:
    """Put one call and return what the server saw."""
    with WireServer("ollama", GOOD) as server:
        ask(entry("ollama", server, max_attempts=1, **changes))
    [request] = server.requests
    return request


def test_schema_bound_and_context_are_always_sent(ask: Ask) -> None:
    """The whole request is one POST that leaves nothing to the server's small defaults."""
    body = seen(ask, options={"num_ctx": 5000}, sends_seed=True).body
    assert body["format"] == Fruit.model_json_schema()
    assert body["options"] == {"num_ctx": 5000, "num_predict": 100, "seed": 1}
    assert body["stream"] is False
    assert body["messages"][0] == {"role": "system", "content": CALL.system}


def test_arguments_go_where_the_server_looks_for_them(ask: Ask) -> None:
    """Sampling arguments are options; thinking and keeping loaded stand beside them."""
    arguments = {"temperature": 0.3, "min_p": 0.1, "think": False, "keep_alive": "5m"}
    body = seen(ask, arguments=arguments).body
    assert (body["options"]["temperature"], body["options"]["min_p"]) == (0.3, 0.1)
    assert (body["think"], body["keep_alive"]) == (False, "5m")
    assert not {"think", "keep_alive"} & body["options"].keys()


def test_schema_in_the_prompt_is_not_sent_natively(ask: Ask) -> None:
    """With structured = "prompt" the schema stands in the first message only."""
    request = seen(ask, structured="prompt")
    assert "format" not in request.body
    assert '"seeds"' in request.messages[0]["content"]


def test_schema_can_go_both_ways(ask: Ask) -> None:
    """With constrain the reply is held to the schema that the prompt shows to the model."""
    request = seen(ask, structured="prompt", options={"constrain": True})
    assert request.schema == Fruit.model_json_schema()
    assert '"seeds"' in request.messages[0]["content"]


@pytest.mark.parametrize("host", ["{host}:{port}", "0.0.0.0:{port}", "http://0.0.0.0:{port}/"])
def test_host_may_be_given_as_ollama_reads_it(
    ask: Ask, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable may lack the scheme, or name the address to listen at."""
    with WireServer("ollama", GOOD) as server:
        port = server.base_url.rpartition(":")[2]
        monkeypatch.setenv("OLLAMA_HOST", host.format(host="127.0.0.1", port=port))
        asked = ask(entry("ollama", server, base_url_env="OLLAMA_HOST", local=True))
    assert asked.reply.value is not None
    assert server.requests[0].headers["host"] == f"127.0.0.1:{port}"


def test_prompt_that_cannot_fit_is_refused_not_cut(ask: Ask) -> None:
    """A prompt larger than the context is never sent, and the message says what to raise."""
    call = Call(key="k", system="Say.", user="fig " * 1000, schema=Fruit)
    with WireServer("ollama", GOOD) as server:
        asked = ask(entry("ollama", server, options={"num_ctx": 900}), call)
    assert server.requests == []
    assert asked.row.failure_kind is FailureKind.too_long
    assert "raise num_ctx in the entry" in (asked.row.failure_message or "")
    assert asked.row.cost == 0.0


def test_model_that_is_not_there_is_reported_in_the_servers_words(ask: Ask) -> None:
    """An unknown model is final, and what the server says stands in the message."""
    status = Status(code=404, message="model 'm-1' not found")
    with WireServer("ollama", status) as server:
        asked = ask(entry("ollama", server))
    assert len(server.requests) == 1
    assert asked.row.failure_kind is FailureKind.model_not_found
    assert "404: model 'm-1' not found; check the model id m-1" in str(asked.row.failure_message)


def test_usage_is_recorded_exactly(ask: Ask) -> None:
    """The counts of prompt and reply are the server's; thinking is not counted separately."""
    with WireServer("ollama", Say(text=GOOD, input_tokens=321, output_tokens=45)) as server:
        row = ask(entry("ollama", server)).row
    assert (row.input_tokens, row.output_tokens, row.thinking_tokens) == (321, 45, None)
    assert row.cost == pytest.approx(321e-6 + 2 * 45e-6, abs=1e-15)


def test_key_is_sent_where_the_entry_names_one(ask: Ask) -> None:
    """A server behind a key gets it; others get none."""
    assert seen(ask).key == KEY
    assert seen(ask, key_env=None).key == ""
