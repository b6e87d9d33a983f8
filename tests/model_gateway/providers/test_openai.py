"""What goes to a server of the OpenAI format, and what is read from its replies."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from model_gateway.call import Call, FailureKind
from tests.model_gateway.conftest import Fruit
from tests.model_gateway.providers.conftest import CALL, GOOD, KEY, Ask, entry
from tests.wire import Raw, Say, Seen, Status, Step, WireServer


class Seed(BaseModel):
    """A part of a fruit."""

    grams: float = Field(default=1.0, ge=0, description="Its weight.")


class Basket(BaseModel):
    """A schema with everything that strict mode takes away."""

    label: str = Field(min_length=3, pattern="^[a-z]+$", description="A short label.")
    best: Seed = Field(description="The best one.")
    seeds: list[Seed] = Field(default_factory=list, min_length=2)
    note: str | None = None


class Tags(BaseModel):
    """A schema with free keys."""

    tags: dict[str, str]


def seen(ask: Ask, step: Step = GOOD, call: Call[Any] = CALL, **changes: Any) -> Seen:
    """Put one call and return what the server saw."""
    with WireServer("openai", step) as server:
        ask(entry("openai", server, max_attempts=1, **changes), call)
    [request] = server.requests
    return request


def a_call(schema: type[BaseModel]) -> Call[Any]:
    """Return a call for this schema."""
    return Call(key="k", system="Say.", user="It.", schema=schema, max_output_tokens=50)


def test_schema_goes_natively_and_unchanged(ask: Ask) -> None:
    """Without strict mode the server gets the schema as the step wrote it."""
    asked = seen(ask, call=a_call(Basket)).body["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"] == {
        "name": "Basket", "schema": Basket.model_json_schema(), "strict": False,
    }  # fmt: skip


def test_strict_mode_closes_the_schema(ask: Ask) -> None:
    """Strict mode closes and requires everything and keeps every description."""
    sent_format = seen(ask, call=a_call(Basket), options={"strict": True}).body["response_format"]
    schema = sent_format["json_schema"]["schema"]
    assert sent_format["json_schema"]["strict"] is True
    assert schema["required"] == ["label", "best", "seeds", "note"]
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Seed"]["required"] == ["grams"]
    assert schema["properties"]["label"]["description"] == "A short label."
    assert schema["properties"]["best"]["description"] == "The best one."
    assert schema["$defs"]["Seed"]["properties"]["grams"]["description"] == "Its weight."
    for dropped in ("minLength", "pattern", "default", "minItems", "minimum"):
        assert f"'{dropped}'" not in str(schema)


def test_schema_with_free_keys_is_sent_without_strict_mode(ask: Ask) -> None:
    """A dictionary of free keys cannot be closed, so strict mode is left off for it."""
    sent_format = seen(ask, call=a_call(Tags), options={"strict": True}).body["response_format"]
    assert sent_format["json_schema"]["strict"] is False
    assert sent_format["json_schema"]["schema"] == Tags.model_json_schema()


@pytest.mark.parametrize("json_mode", [False, True])
def test_schema_in_the_prompt_is_not_sent_natively(ask: Ask, *, json_mode: bool) -> None:
    """With structured = "prompt" the schema stands in the first message only."""
    request = seen(ask, structured="prompt", options={"json_mode": json_mode})
    expected = {"type": "json_object"} if json_mode else None
    assert request.body.get("response_format") == expected
    assert '"seeds"' in request.messages[0]["content"]
    assert '"seeds"' not in request.messages[1]["content"]


def test_schema_can_go_both_ways(ask: Ask) -> None:
    """With constrain the reply is held to the schema that the prompt shows to the model."""
    request = seen(ask, structured="prompt", options={"constrain": True})
    assert request.schema == Fruit.model_json_schema()
    assert '"seeds"' in request.messages[0]["content"]


def test_arguments_known_or_not_reach_the_server(ask: Ask) -> None:
    """Arguments of the entry stand in the body as they are."""
    arguments = {"temperature": 0.3, "usage": {"include": True}, "top_k": 7}
    body = seen(ask, arguments=arguments, sends_seed=True).body
    assert {name: body[name] for name in (*arguments, "seed")} == {**arguments, "seed": 1}
    assert body["model"] == "m-1"
    assert "stream" not in body


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_bound_on_the_reply_has_the_name_the_model_wants(ask: Ask, name: str) -> None:
    """The bound is what the step asked for plus the room to think, under one name only."""
    body = seen(ask, options={"max_tokens_parameter": name}, thinking_tokens=30).body
    assert body[name] == 130
    assert len({"max_tokens", "max_completion_tokens"} & body.keys()) == 1


def test_usage_is_recorded_exactly(ask: Ask) -> None:
    """Tokens, thinking tokens and the price computed from them are the server's numbers."""
    say = Say(text=GOOD, input_tokens=1234, output_tokens=567, thinking_tokens=89)
    with WireServer("openai", say) as server:
        row = ask(entry("openai", server)).row
    assert (row.input_tokens, row.output_tokens, row.thinking_tokens) == (1234, 567, 89)
    assert row.cost == pytest.approx(1234e-6 + 2 * 567e-6, abs=1e-15)


def test_cost_that_the_server_names_is_the_cost(ask: Ask) -> None:
    """A router's own figure comes before the entry's price, in the journal and the ledger."""
    with WireServer("openai", Say(text=GOOD, cost=0.0123)) as server:
        asked = ask(entry("openai", server))
    assert asked.row.cost == 0.0123
    assert asked.spent.dollars == 0.0123


def test_usage_that_makes_no_sense_is_unknown(ask: Ask) -> None:
    """A negative or misshapen count is taken as not given, and the reservation is charged."""
    body = b"""{"choices": [{"message": {"content": "{\\"name\\": \\"fig\\", \\"seeds\\": []}"}}],
        "usage": {"prompt_tokens": -5, "completion_tokens": "many", "cost": -1}}"""
    with WireServer("openai", Raw(body=body)) as server:
        asked = ask(entry("openai", server))
    assert asked.reply.value == Fruit(name="fig", seeds=[])
    assert (asked.row.input_tokens, asked.row.output_tokens, asked.row.cost) == (None, None, None)
    assert asked.spent.dollars > 0


def test_answer_in_a_tool_call_is_the_text(ask: Ask) -> None:
    """A reply that is nothing but a tool call counts as its arguments."""
    with WireServer("openai", Say(text=GOOD, tool=True)) as server:
        asked = ask(entry("openai", server))
    assert asked.reply.value == Fruit(name="fig", seeds=[1, 2])
    assert asked.row.finish_reason == "stop"


def test_content_in_parts_is_joined(ask: Ask) -> None:
    """Some servers send the text as a list of parts."""
    parts = b'[{"type": "text", "text": "{\\"name\\": \\"fig\\","}, {"text": "\\"seeds\\": []}"}]'
    body = b'{"choices": [{"finish_reason": "stop", "message": {"content": %s}}]}' % parts
    with WireServer("openai", Raw(body=body)) as server:
        asked = ask(entry("openai", server))
    assert asked.reply.value == Fruit(name="fig", seeds=[])


@pytest.mark.parametrize(
    ("body", "kind", "cost"),
    [
        (b'{"error": {"code": 429, "message": "slow down"}}', FailureKind.rate_limit, 0.0),
        (b'{"error": {"code": 402, "message": "slow down"}}', FailureKind.no_credit, 0.0),
        (b'{"error": {"message": "slow down"}}', FailureKind.server, 0.0),
        (
            b'{"choices": [{"finish_reason": "error", "error": {"message": "slow down"}}]}',
            FailureKind.server,
            None,
        ),
        (b'{"choices": []}', FailureKind.connection, None),
    ],
)
def test_error_behind_a_good_status_is_an_error(
    ask: Ask, body: bytes, kind: FailureKind, cost: float | None
) -> None:
    """A router's error in a reply of status 200 is classified by its code."""
    with WireServer("openai", Raw(body=body)) as server:
        row = ask(entry("openai", server, max_attempts=1)).row
    assert row.failure_kind is kind
    assert row.cost == cost
    assert ("slow down" in (row.failure_message or "")) is (b"slow down" in body)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (Status(code=429, name="insufficient_quota"), FailureKind.no_credit),
        (Status(code=404, name="model_not_found"), FailureKind.model_not_found),
        (Status(code=400, name="content_filter"), FailureKind.refused),
        (Status(code=400, message="x" * 5000), FailureKind.configuration),
    ],
)
def test_error_that_stays_is_asked_once(ask: Ask, status: Status, kind: FailureKind) -> None:
    """Missing money, an unknown model and a content filter are final, with a short message."""
    with WireServer("openai", status) as server:
        asked = ask(entry("openai", server))
    assert len(server.requests) == 1
    assert asked.row.failure_kind is kind
    assert len(asked.row.failure_message or "") <= 300


def test_server_without_a_key_gets_a_placeholder(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that stands in the environment for another server is not sent to a keyless one."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-meant-for-another-server")
    assert seen(ask, key_env=None).key == "none"
    assert seen(ask).key == KEY


def test_address_in_the_environment_comes_first(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable that the entry names wins over the entry; a local one needs no scheme."""
    with WireServer("openai", GOOD) as server:
        monkeypatch.setenv("LOOPBACK_URL", server.base_url.removeprefix("http://"))
        changes = {"base_url": "http://127.0.0.1:1/v1", "base_url_env": "LOOPBACK_URL"}
        asked = ask(entry("openai", server, local=True, **changes))
    assert asked.reply.value is not None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": {"stric": True}}, "options.stric: Extra inputs are not permitted"),
        ({"arguments": {"n": 3, "stream": True}}, "arguments may not set n, stream"),
    ],
)
def test_entry_that_cannot_be_used_says_so(ask: Ask, changes: dict[str, Any], message: str) -> None:
    """A mistyped option or an argument that is the gateway's ends the call before it is sent."""
    with WireServer("openai", GOOD) as server:
        asked = ask(entry("openai", server, **changes))
    assert server.requests == []
    assert asked.row.failure_kind is FailureKind.configuration
    assert message in (asked.row.failure_message or "")
