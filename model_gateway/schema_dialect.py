"""How a server in OpenAI's format is asked to hold its reply to a schema, found by trying.

llama.cpp's own server, vLLM and LM Studio take `json_schema`; llama-cpp-python's server takes an
extended `json_object` and fails at `json_schema`; some pass over both and say nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from model_gateway.attempt import Message, digest_of
from model_gateway.call import FailureKind
from model_gateway.config import Model
from model_gateway.provider import ProviderError

Ask = Callable[[dict[str, Any]], Awaitable[str]]
"""Sends fields of a request, and returns the text of the reply; raises a ProviderError."""

_QUESTION: list[Message] = [{"role": "user", "content": "Say something about trees."}]
_HELD = {"held": "yes"}
_SCHEMA = {
    "type": "object",
    "properties": {"held": {"type": "string", "enum": ["yes"]}},
    "required": ["held"],
    "additionalProperties": False,
}
_TOKENS = 32
_NO_ANSWER = {FailureKind.connection, FailureKind.timeout, FailureKind.rate_limit}


class SchemaDialect(StrEnum):
    """A form of `response_format`; `none` is none at all."""

    json_schema = "json_schema"
    json_object = "json_object"
    none = "none"

    def fields(self, schema: dict[str, Any], name: str, *, strict: bool) -> dict[str, Any]:
        """Return what goes into a request."""
        match self:
            case SchemaDialect.none:
                return {}
            case SchemaDialect.json_object:
                return {"response_format": {"type": "json_object", "schema": schema}}
            case SchemaDialect.json_schema:
                constraint = {"name": name, "schema": schema, "strict": strict}
                return {"response_format": {"type": "json_schema", "json_schema": constraint}}


class DialectFinder:
    """Finds the dialect of one server, once, and remembers it across commands.

    The server is asked for up to 32 tokens for each dialect. Where none holds the reply, that is
    remembered in this process only.
    """

    def __init__(self, model: Model, path: Path | None = None) -> None:
        served = model.serve.command if model.serve and model.is_served else model.server
        self._key = digest_of(model.provider, served, model.model_id)
        self._path = path or user_cache_path("plumbline") / "schema_dialects.json"
        self._found: SchemaDialect | None = None
        self._remembered = False
        self._one_at_a_time = asyncio.Lock()

    async def find(self, ask: Ask) -> SchemaDialect:
        """Return the dialect, after trying where it is not known.

        Raises:
            ProviderError: the server does not answer at all.
        """
        async with self._one_at_a_time:
            if self._found is None:
                self._found = self._recall()
                self._remembered = self._found is not None
            if self._found is None:
                self._found = await _tried(ask)
                if self._found is not SchemaDialect.none:
                    self._store(self._found)
            return self._found

    def doubt(self) -> None:
        """Try again next time, if what failed just now rests on what an earlier command found."""
        if self._remembered:
            self._found, self._remembered = None, False
            self._store(None)

    def _recall(self) -> SchemaDialect | None:
        value = self._rows().get(self._key)
        return SchemaDialect(value) if value in set(SchemaDialect) else None

    def _store(self, dialect: SchemaDialect | None) -> None:
        rows = self._rows()
        rows.pop(self._key, None)
        if dialect is not None:
            rows[self._key] = dialect
        # It only saves a few tokens, so it may fail to be written.
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(rows, indent=1), encoding="utf-8")
            new.replace(self._path)

    def _rows(self) -> dict[str, Any]:
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return {}
        return rows if isinstance(rows, dict) else {}


async def _tried(ask: Ask) -> SchemaDialect:
    for dialect in (SchemaDialect.json_schema, SchemaDialect.json_object):
        fields = {
            "messages": _QUESTION, "max_tokens": _TOKENS, "temperature": 0,
            **dialect.fields(_SCHEMA, "held", strict=False),
        }  # fmt: skip
        try:
            text = await ask(fields)
        except ProviderError as error:
            if error.kind in _NO_ANSWER:
                raise
            continue
        with suppress(ValueError, RecursionError):
            if json.loads(text) == _HELD:
                return dialect
    return SchemaDialect.none
