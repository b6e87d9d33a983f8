"""Ollama's format, read by its SDK."""

from __future__ import annotations

import re
from typing import Any

import httpx
import ollama

from tests.model_gateway.conftest import Fruit, MakeCaller, Scripted
from tests.model_gateway.foreign import (
    ASK,
    FRUIT,
    GOOD,
    PARAMETERS,
    TOOL,
    at_door,
    at_door_async,
    ollama_at,
)


def test_ollama_chat(make_caller: MakeCaller) -> None:
    """The SDK reads the message and the token counts; options and the format are passed on."""
    provider = Scripted(GOOD)

    def use(url: str) -> Any:
        with ollama_at(url) as client:
            return client.chat(
                model="llama9",
                messages=[{"role": "system", "content": "Be short."}, *ASK],
                format=PARAMETERS,
                options={"temperature": 0.1, "num_predict": 33, "stop": ["END"], "num_ctx": 4096},
            )

    reply = at_door(make_caller(), provider, use)
    assert Fruit.model_validate_json(reply.message.content) == FRUIT
    assert (reply.done, reply.done_reason, reply.model) == (True, "stop", "llama9")
    assert (reply.prompt_eval_count, reply.eval_count) == (10, 5)
    [request] = provider.requests
    assert request.schema == PARAMETERS
    assert request.max_output_tokens == 33
    assert request.arguments == {"temperature": 0.1, "stop": ["END"]}


def test_ollama_generate_stream_and_tools(make_caller: MakeCaller) -> None:
    """Generate, both streams and a tool call come in Ollama's shapes."""

    def use(url: str) -> tuple[Any, ...]:
        with ollama_at(url) as client:
            generated = client.generate(model="m", prompt="Name a fruit.", system="Be short.")
            lines = list(client.generate(model="m", prompt="Name a fruit.", stream=True))
            chat = list(client.chat(model="m", messages=ASK, stream=True))
            called = client.chat(model="m", messages=ASK, tools=[TOOL])
        return generated, lines, chat, called

    generated, lines, chat, called = at_door(make_caller(), Scripted(GOOD), use)
    assert generated.response == GOOD
    assert "".join(line.response for line in lines) == GOOD
    assert (lines[-1].done, lines[-1].eval_count) == (True, 5)
    assert "".join(line.message.content for line in chat) == GOOD
    [call] = called.message.tool_calls
    assert (call.function.name, call.function.arguments) == ("give_fruit", FRUIT.model_dump())


def test_ollama_small_questions_and_async_client(make_caller: MakeCaller) -> None:
    """Clients that look first find the cell's model, a context length and a version."""

    async def use(url: str) -> tuple[Any, ...]:
        client = ollama.AsyncClient(url)
        shown = await client.show("llama9")
        listed = await client.list()
        reply = await client.chat(model="llama9", messages=ASK)
        await client.close()
        async with httpx.AsyncClient() as plain:
            version = (await plain.get(f"{url}/api/version")).json()
        return shown, listed, reply, version

    shown, listed, reply, version = at_door_async(make_caller(), Scripted("a fig"), use)
    assert any(name.endswith("context_length") for name in shown.modelinfo)
    assert [model.model for model in listed.models] == ["scripted-1"]
    assert reply.message.content == "a fig"
    assert re.match(r"\d+\.\d+", version["version"])
