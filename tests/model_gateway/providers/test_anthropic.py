"""What goes to a server of the Anthropic format, and what is read from its replies."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field

from model_gateway.call import Call, FailureKind
from tests.model_gateway.conftest import Fruit
from tests.model_gateway.providers.conftest import CALL, GOOD, Ask, entry
from tests.wire import Raw, Say, Seen, Status, Step, WireServer


class Note(BaseModel):
    """A schema with an optional field and a described reference."""

    fruit: Fruit = Field(description="The fruit it is about.")
    remark: str = Field(default="", max_length=9, description="A remark.")


class Tags(BaseModel):
    """A schema with free keys."""

    tags: dict[str, str]


def seen(ask: Ask, step: Step = GOOD, call: Call[Any] = CALL, **changes: Any) -> Seen:
    """Put one call and return what the server saw."""
    with WireServer("anthropic", step) as server:
        ask(entry("anthropic", server, max_attempts=1, **changes), call)
    [request] = server.requests
    return request


def test_system_messages_have_a_place_of_their_own(ask: Ask) -> None:
    """The system text goes beside the messages, which hold the others only."""
    body = seen(ask).body
    assert body["system"] == CALL.system
    assert body["messages"] == [{"role": "user", "content": CALL.user}]


def test_schema_goes_natively_and_keeps_its_descriptions(ask: Ask) -> None:
    """The schema is closed; what was optional stays so, and no description is lost."""
    call = Call(key="k", system="Say.", user="It.", schema=Note, max_output_tokens=50)
    output_format = seen(ask, call=call).body["output_config"]["format"]
    assert output_format["type"] == "json_schema"
    schema = output_format["schema"]
    assert schema["required"] == ["fruit"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["fruit"] == {
        "description": "The fruit it is about.", "anyOf": [{"$ref": "#/$defs/Fruit"}],
    }  # fmt: skip
    assert schema["properties"]["remark"]["description"] == "A remark."
    assert "maxLength" not in schema["properties"]["remark"]


@pytest.mark.parametrize(
    ("schema", "options", "text"),
    [(Fruit, {"structured_tool": True}, GOOD), (Tags, {}, '{"tags": {"a": "b"}}')],
)
def test_forced_tool_stands_in_for_native_output(
    ask: Ask, schema: type[BaseModel], options: dict[str, Any], text: str
) -> None:
    """Where asked for, or where keys are free, the reply comes as the arguments of a tool."""
    call = Call(key="k", system="Say.", user="It.", schema=schema, max_output_tokens=50)
    with WireServer("anthropic", Say(text=text, tool=True)) as server:
        asked = ask(entry("anthropic", server, options=options), call)
    body = server.requests[0].body
    assert body["tool_choice"] == {"type": "tool", "name": "reply"}
    assert body["tools"][0]["input_schema"] == schema.model_json_schema()
    assert "output_config" not in body
    assert asked.reply.value == schema.model_validate_json(text)
    assert asked.row.finish_reason == "stop"


def test_schema_in_the_prompt_is_not_sent_natively(ask: Ask) -> None:
    """With structured = "prompt" the schema stands in the system text only."""
    body = seen(ask, structured="prompt").body
    assert "output_config" not in body
    assert '"seeds"' in body["system"]


def test_arguments_stand_beside_the_format(ask: Ask) -> None:
    """Arguments reach the server, also those the SDK no longer knows or that share a field."""
    arguments = {"temperature": 0.3, "top_k": 7, "output_config": {"effort": "low"}}
    body = seen(ask, arguments=arguments).body
    assert (body["temperature"], body["top_k"]) == (0.3, 7)
    assert body["output_config"].keys() == {"effort", "format"}


def test_long_replies_need_no_streaming(ask: Ask) -> None:
    """The SDK's own limit on long replies is not in the way."""
    call = Call(key="k", system="Say.", user="It.", schema=Fruit, max_output_tokens=64_000)
    assert seen(ask, call=call).max_tokens == 64_000


def test_usage_is_recorded_exactly(ask: Ask) -> None:
    """Cached input counts as input, thinking as a part of the output."""
    body = b"""{"type": "message", "model": "m-9", "stop_reason": "end_turn",
        "content": [{"type": "thinking", "thinking": "Hm.", "signature": "s"},
                    {"type": "text", "text": "{\\"name\\": \\"fig\\", \\"seeds\\": []}"}],
        "usage": {"input_tokens": 100, "cache_creation_input_tokens": 20,
                  "cache_read_input_tokens": 3, "output_tokens": 50,
                  "output_tokens_details": {"thinking_tokens": 40}}}"""
    with WireServer("anthropic", Raw(body=body)) as server:
        row = ask(entry("anthropic", server)).row
    assert (row.input_tokens, row.output_tokens, row.thinking_tokens) == (123, 50, 40)
    assert row.cost == pytest.approx(123e-6 + 2 * 50e-6, abs=1e-15)
    assert row.reported_model == "m-9"
    assert row.text == '{"name": "fig", "seeds": []}'


def test_full_context_counts_as_cut_off(ask: Ask) -> None:
    """A reply that ended because the context was full counts as truncated."""
    say = Say(text=GOOD[:20], finish="model_context_window_exceeded")
    with WireServer("anthropic", say) as server:
        row = ask(entry("anthropic", server, max_attempts=1)).row
    assert row.finish_reason == "length"
    assert row.failure_kind is FailureKind.truncated


def test_filtered_output_is_a_refusal(ask: Ask) -> None:
    """The server's content filter counts as a refusal although its status is 400."""
    status = Status(code=400, message="Output blocked by content filtering policy")
    with WireServer("anthropic", status) as server:
        asked = ask(entry("anthropic", server))
    assert len(server.requests) == 1
    assert asked.row.failure_kind is FailureKind.refused
