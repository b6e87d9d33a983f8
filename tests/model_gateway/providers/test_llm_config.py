"""The entries that come with the package, each used against a server of its format."""

from __future__ import annotations

import pytest

from model_gateway.config import EMBEDDED, Model
from model_gateway.entry_files import load
from tests.model_gateway.conftest import Fruit
from tests.model_gateway.providers.conftest import GOOD, KEY, Ask
from tests.wire import WireServer

ALIASES = {
    "ollama-llama3.1": "llama",
    "openrouter-openai-gpt-oss-20b": "gpt-oss",
    "openai-gpt-5-nano": "gpt5-nano",
    "openrouter-qwen3-30b-a3b": "qwen",
    "openrouter-openai-gpt-4o-mini": "gpt4o-mini",
    "openrouter-gemini-2.0-flash-001": "gemini-flash",
    "anthropic-claude-haiku-4-5-pinned": "haiku",
    "local-openai": "local",
    "smollm2": "tiny",
    "ollama-smollm2-360m": "smollm2-360m",
    "ollama-qwen2.5-coder-7b": "qwen-coder",
}


def embedded(name: str) -> Model:
    """Return the embedded entry called `name`."""
    return load([EMBEDDED]).find(name)


@pytest.mark.parametrize(("name", "alias"), ALIASES.items())
def test_entry_is_found_by_its_alias(name: str, alias: str) -> None:
    """The short name that users type leads to the entry, which says what it costs."""
    model = embedded(alias)
    assert model == embedded(name)
    assert model.price is not None
    assert (model.price.output > 0) is not model.local
    assert model.attempt_seconds <= model.deadline_seconds


@pytest.mark.parametrize("name", ALIASES)
def test_entry_works_against_a_server_of_its_format(
    name: str, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each entry sends its own model id, key and bound, and reads the reply."""
    model = embedded(name)
    if model.key_env:
        monkeypatch.setenv(model.key_env, KEY)
    with WireServer(model.provider, GOOD) as server:
        changes = {"base_url": server.base_url, "base_url_env": None, "serve": None}
        asked = ask(model.model_copy(update=changes))
    *tried, seen = server.requests  # Whether it can hold a reply to a schema, in two dialects.
    assert len(tried) == (2 if model.local and model.provider == "openai" else 0)
    assert asked.reply.value == Fruit(name="fig", seeds=[1, 2])
    assert seen.body["model"] == model.model_id
    assert seen.max_tokens == 100 + model.thinking_tokens
    assert (seen.key == KEY) is bool(model.key_env)
    native = model.structured == "json_schema" or model.options.get("constrain", False)
    assert (seen.schema is not None) is native
    in_prompt = '"seeds"' in seen.messages[0]["content"]
    assert in_prompt is (model.structured == "prompt")
    assert (asked.row.cost == 0) is model.local


def test_pinned_model_is_named_by_its_date() -> None:
    """The one pinned entry names a version that never changes."""
    assert embedded("haiku").model_id == "claude-haiku-4-5-20251001"


def test_ollama_is_found_where_its_own_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users set OLLAMA_HOST for Ollama itself, and the entry reads the same one."""
    model = embedded("llama")
    assert (model.base_url_env, model.local, model.workers) == ("OLLAMA_HOST", True, 1)
