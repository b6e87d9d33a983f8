"""OpenAI's format, read by its SDK."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import openai
import pytest

from model_gateway.call import FailureKind
from model_gateway.provider import Answer
from tests.model_gateway.conftest import Fruit, MakeCaller, Scripted, a_model
from tests.model_gateway.foreign import (
    ASK,
    BARE,
    FRUIT,
    GOOD,
    TOOL,
    at_door,
    at_door_async,
    claude_at,
    ollama_at,
    openai_at,
    rows,
)


@pytest.mark.parametrize("base", ["", "/v1"])
def test_openai_reply_is_parsed_with_its_usage(make_caller: MakeCaller, base: str) -> None:
    """The SDK reads text, usage, finish reason and its own model name, with or without /v1."""
    provider = Scripted(
        Answer(
            text="a fig",
            finish_reason="stop",
            input_tokens=10,
            output_tokens=5,
            thinking_tokens=3,
        )
    )

    def use(url: str) -> Any:
        with openai_at(url + base) as client:
            messages: list[Any] = [{"role": "developer", "content": "Be short."}, *ASK]
            return client.chat.completions.create(model="gpt-9", messages=messages)

    reply = at_door(make_caller(), provider, use)
    assert reply.choices[0].message.content == "a fig"
    assert reply.choices[0].finish_reason == "stop"
    assert reply.model == "gpt-9"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (10, 5)
    assert reply.usage.completion_tokens_details.reasoning_tokens == 3
    [request] = provider.requests
    assert request.messages[0] == {"role": "system", "content": "Be short."}
    assert request.model_id == "scripted-1"


def test_openai_arguments_reach_the_model(make_caller: MakeCaller) -> None:
    """Sampling arguments and the bound on the reply are passed on; text parts are joined."""
    provider = Scripted("a fig")

    def use(url: str) -> Any:
        with openai_at(url) as client:
            parts: Any = [{"type": "text", "text": "Name"}, {"type": "text", "text": "a fruit."}]
            return client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": parts}],
                temperature=0.3,
                top_p=0.9,
                seed=7,
                stop="END",
                reasoning_effort="low",
                max_completion_tokens=77,
                frequency_penalty=0.5,
            )

    at_door(make_caller(), provider, use)
    [request] = provider.requests
    assert request.messages == [{"role": "user", "content": "Name\na fruit."}]
    assert request.max_output_tokens == 77
    assert request.arguments == {
        "temperature": 0.3, "top_p": 0.9, "seed": 7, "stop": ["END"], "reasoning_effort": "low",
    }  # fmt: skip


def test_openai_parse_gives_the_schema_and_gets_the_object(make_caller: MakeCaller) -> None:
    """`parse` with a class works: its schema goes to the model, the reply becomes its instance."""
    provider = Scripted(GOOD)

    def use(url: str) -> Any:
        with openai_at(url) as client:
            return client.chat.completions.parse(model="m", messages=ASK, response_format=Fruit)

    reply = at_door(make_caller(), provider, use)
    assert reply.choices[0].message.parsed == FRUIT
    [request] = provider.requests
    assert request.schema is not None
    assert request.schema["properties"].keys() == {"name", "seeds"}
    assert request.schema_name == "Fruit"


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "give_fruit"}}]
)
def test_openai_required_tool_is_the_schema_and_the_reply(
    make_caller: MakeCaller, choice: Any
) -> None:
    """A tool that must be called gives its parameters as schema; the reply is a call of it."""
    provider = Scripted(GOOD)

    def use(url: str) -> Any:
        with openai_at(url) as client:
            return client.chat.completions.create(
                model="m", messages=ASK, tools=[TOOL], tool_choice=choice
            )

    reply = at_door(make_caller(), provider, use)
    [call] = reply.choices[0].message.tool_calls
    assert (call.function.name, call.function.arguments) == ("give_fruit", GOOD)
    assert reply.choices[0].finish_reason == "tool_calls"
    [request] = provider.requests
    assert request.schema == {**BARE, "description": "Give a fruit."}
    assert request.schema_name == "give_fruit"


def test_openai_stream_comes_whole_with_usage(make_caller: MakeCaller) -> None:
    """A streaming client gets the same reply in chunks, with usage where it asked for it."""

    def use(url: str) -> tuple[str, Any, Any]:
        with openai_at(url) as client:
            chunks = list(
                client.chat.completions.create(
                    model="m", messages=ASK, stream=True, stream_options={"include_usage": True}
                )
            )
            with client.chat.completions.stream(
                model="m", messages=ASK, response_format=Fruit
            ) as stream:
                final = stream.get_final_completion()
        text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        return text, chunks[-1].usage, final.choices[0].message.parsed

    text, usage, parsed = at_door(make_caller(), Scripted(GOOD), use)
    assert text == GOOD
    assert usage.total_tokens == 15
    assert parsed == FRUIT


def test_openai_stream_of_a_tool_call(make_caller: MakeCaller) -> None:
    """The SDK's own accumulation puts a streamed tool call together."""

    def use(url: str) -> Any:
        with (
            openai_at(url) as client,
            client.chat.completions.stream(
                model="m", messages=ASK, tools=[TOOL], tool_choice="required"
            ) as stream,
        ):
            return stream.get_final_completion()

    reply = at_door(make_caller(), Scripted(GOOD), use)
    [call] = reply.choices[0].message.tool_calls
    assert json.loads(call.function.arguments) == FRUIT.model_dump()


def test_openai_async_client(make_caller: MakeCaller) -> None:
    """The asynchronous client is answered too, many calls at once."""

    async def use(url: str) -> list[str | None]:
        async with openai.AsyncOpenAI(base_url=url, api_key="none") as client:
            replies = await asyncio.gather(
                *(client.chat.completions.create(model="m", messages=ASK) for _ in range(20))
            )
            return [reply.choices[0].message.content for reply in replies]

    assert at_door_async(make_caller(), Scripted("a fig"), use) == ["a fig"] * 20


def test_cut_off_reply_says_length(make_caller: MakeCaller) -> None:
    """A reply that reached its bound is passed on as it is, with the family's word for it."""
    cut = Answer(text='{"name": "fi', finish_reason="length", input_tokens=1, output_tokens=2)

    def use(url: str) -> tuple[Any, ...]:
        with openai_at(url) as first, claude_at(url) as second, ollama_at(url) as third:
            return (
                first.chat.completions.create(model="m", messages=ASK).choices[0].finish_reason,
                second.messages.create(model="m", messages=ASK, max_tokens=9).stop_reason,
                third.chat(model="m", messages=ASK).done_reason,
            )

    reasons = at_door(make_caller(), Scripted(cut), use)
    assert reasons == ("length", "max_tokens", "length")


def test_refusal_is_a_reply_and_a_failed_attempt(make_caller: MakeCaller, tmp_path: Path) -> None:
    """A refusal reaches the client as a refusal; the attempt is recorded as failed."""
    no = Answer(text="I will not.", finish_reason="refusal", input_tokens=1, output_tokens=2)

    def use(url: str) -> tuple[Any, Any]:
        with openai_at(url) as first, claude_at(url) as second:
            return (
                first.chat.completions.parse(model="m", messages=ASK, response_format=Fruit),
                second.messages.create(model="m", messages=ASK, max_tokens=9),
            )

    openai_reply, claude_reply = at_door(make_caller(), Scripted(no), use)
    message = openai_reply.choices[0].message
    assert (message.refusal, message.content, message.parsed) == ("I will not.", None, None)
    assert claude_reply.stop_reason == "refusal"
    assert [row.failure_kind for row in rows(tmp_path)] == [FailureKind.refused] * 2


def test_empty_reply_is_passed_on_after_the_bound(make_caller: MakeCaller, tmp_path: Path) -> None:
    """Empty replies are tried again within the bound, then given as production would give them."""

    def use(url: str) -> Any:
        with openai_at(url) as client:
            return client.chat.completions.create(model="m", messages=ASK)

    provider = Scripted("")
    reply = at_door(make_caller(a_model(max_attempts=2)), provider, use)
    assert reply.choices[0].message.content == ""
    assert len(provider.requests) == 2
    assert {row.status for row in rows(tmp_path)} == {"failed"}
