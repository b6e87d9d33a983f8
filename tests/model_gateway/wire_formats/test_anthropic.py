"""Anthropic's format, read by its SDK."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest

from tests.model_gateway.conftest import Fruit, MakeCaller, Scripted
from tests.model_gateway.foreign import (
    ASK,
    BARE,
    CLAUDE_TOOL,
    FRUIT,
    GOOD,
    at_door,
    at_door_async,
    claude_at,
)


def test_claude_reply_is_parsed_with_its_usage(make_caller: MakeCaller) -> None:
    """The SDK reads text, usage and stop reason; system blocks and stop sequences are passed on."""
    provider = Scripted("a fig")

    def use(url: str) -> Any:
        with claude_at(url) as client:
            return client.messages.create(
                model="claude-9",
                max_tokens=50,
                system=[{"type": "text", "text": "Be short."}],
                messages=ASK,
                stop_sequences=["END"],
                extra_body={"temperature": 0.2},
            )

    reply = at_door(make_caller(), provider, use)
    assert [block.text for block in reply.content] == ["a fig"]
    assert (reply.stop_reason, reply.model) == ("end_turn", "claude-9")
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (10, 5)
    [request] = provider.requests
    assert request.messages[0] == {"role": "system", "content": "Be short."}
    assert request.arguments == {"temperature": 0.2, "stop": ["END"]}
    assert request.max_output_tokens == 50


def test_claude_parse_gives_the_schema_and_gets_the_object(make_caller: MakeCaller) -> None:
    """Native structured output works: the schema goes to the model, the reply is parsed."""
    provider = Scripted(GOOD)

    def use(url: str) -> Any:
        with claude_at(url) as client:
            return client.messages.parse(
                model="m", max_tokens=50, messages=ASK, output_format=Fruit
            )

    assert at_door(make_caller(), provider, use).parsed_output == FRUIT
    assert provider.requests[0].schema is not None


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "give_fruit"}])
def test_claude_required_tool_is_the_schema_and_the_reply(
    make_caller: MakeCaller, choice: Any
) -> None:
    """A tool that must be called comes back as a tool_use block with parsed input."""
    provider = Scripted(GOOD)

    def use(url: str) -> tuple[Any, Any]:
        asked: Any = {
            "model": "m", "max_tokens": 50, "messages": ASK,
            "tools": [CLAUDE_TOOL], "tool_choice": choice,
        }  # fmt: skip
        with claude_at(url) as client:
            whole = client.messages.create(**asked)
            with client.messages.stream(**asked) as stream:
                return whole, stream.get_final_message()

    for reply in at_door(make_caller(), provider, use):
        [block] = reply.content
        assert (block.type, block.name) == ("tool_use", "give_fruit")
        assert block.input == FRUIT.model_dump()
        assert reply.stop_reason == "tool_use"
    assert provider.requests[0].schema_name == "give_fruit"
    assert provider.requests[0].schema == {**BARE, "description": "Give a fruit."}


def test_claude_tool_whose_arguments_are_no_object_comes_as_text(make_caller: MakeCaller) -> None:
    """What cannot be the input of a tool is given as the text that it is."""

    def use(url: str) -> Any:
        with claude_at(url) as client:
            return client.messages.create(
                model="m", max_tokens=50, messages=ASK,
                tools=[CLAUDE_TOOL], tool_choice={"type": "any"},
            )  # fmt: skip

    reply = at_door(make_caller(), Scripted("no object"), use)
    assert [block.text for block in reply.content] == ["no object"]
    assert reply.stop_reason == "end_turn"


def test_claude_stream(make_caller: MakeCaller) -> None:
    """The SDK puts the streamed message together, usage included; the async client too."""

    def use(url: str) -> tuple[str, Any]:
        with (
            claude_at(url) as client,
            client.messages.stream(model="m", max_tokens=50, messages=ASK) as stream,
        ):
            return "".join(stream.text_stream), stream.get_final_message()

    text, message = at_door(make_caller(), Scripted("a fig"), use)
    assert text == "a fig"
    assert (message.usage.input_tokens, message.usage.output_tokens) == (10, 5)

    async def use_async(url: str) -> str:
        async with (
            anthropic.AsyncAnthropic(base_url=url, api_key="none") as client,
            client.messages.stream(model="m", max_tokens=50, messages=ASK) as stream,
        ):
            return await stream.get_final_text()

    assert at_door_async(make_caller(cell="other"), Scripted("a fig"), use_async) == "a fig"
