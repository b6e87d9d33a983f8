"""Foreign code at an HTTP door: real SDK clients, and a gateway to put them at."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import anthropic
import ollama
import openai

from model_gateway.attempt import Attempt
from model_gateway.exchange import Caller
from model_gateway.gateway import Gateway
from model_gateway.journal import read_attempts
from tests.model_gateway.conftest import Fruit, Scripted, built_from

T = TypeVar("T")
GOOD = '{"name": "fig", "seeds": [1, 2]}'
FRUIT = Fruit(name="fig", seeds=[1, 2])
ASK: list[Any] = [{"role": "user", "content": "Name a fruit."}]
PARAMETERS = Fruit.model_json_schema()
BARE = {name: value for name, value in PARAMETERS.items() if name != "description"}
TOOL: Any = {
    "type": "function",
    "function": {"name": "give_fruit", "description": "Give a fruit.", "parameters": BARE},
}
CLAUDE_TOOL: Any = {"name": "give_fruit", "description": "Give a fruit.", "input_schema": BARE}
SCHEMA_FORMAT: Any = {"type": "json_schema", "json_schema": {"name": "Fruit", "schema": PARAMETERS}}


def at_door(caller: Caller, provider: Scripted, use: Callable[[str], T], **gateway: Any) -> T:
    """Open a door for `caller` and let `use` work with its URL in a thread."""

    async def scenario() -> T:
        async with Gateway(build=built_from(provider), **gateway) as door_keeper:
            door = await door_keeper.open_http(caller)
            return await asyncio.to_thread(use, door.url)

    return asyncio.run(scenario())


def at_door_async(caller: Caller, provider: Scripted, use: Callable[[str], Awaitable[T]]) -> T:
    """Open a door for `caller` and let the coroutine `use` work with its URL."""

    async def scenario() -> T:
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open_http(caller)
            return await use(door.url)

    return asyncio.run(scenario())


def openai_at(url: str, **changes: Any) -> openai.OpenAI:
    """Return the real client, with its retries on as foreign code has them."""
    return openai.OpenAI(base_url=url, api_key="none", **changes)


def claude_at(url: str, **changes: Any) -> anthropic.Anthropic:
    """Return the real client, with its retries on as foreign code has them."""
    return anthropic.Anthropic(base_url=url, api_key="none", **changes)


def ollama_at(url: str) -> contextlib.closing[ollama.Client]:
    """Return the real client, closed at the end of the block."""
    return contextlib.closing(ollama.Client(url))


def rows(tmp_path: Path) -> list[Attempt]:
    """Return what stands in the journal."""
    return read_attempts(tmp_path / "attempts.jsonl")
