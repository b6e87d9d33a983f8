"""Models behind the OpenAI chat completions format: OpenAI, OpenRouter and most local servers."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, Literal

import httpx
import openai

from model_gateway.call import Source
from model_gateway.config import Model
from model_gateway.entry_settings import (
    ReplyOptions,
    accepted,
    options_of,
    other_arguments,
    server_url,
)
from model_gateway.provider import Answer, ProviderError, Request
from model_gateway.providers.http_client import bounded
from model_gateway.providers.http_errors import (
    ErrorSource,
    failure_in,
    failure_of,
    failure_of_status,
)
from model_gateway.schema_dialect import DialectFinder, SchemaDialect
from model_gateway.strict_schema import strict
from model_gateway.wire_bodies import answered, json_value, read_value
from model_gateway.wire_replies import Completion, sendable

_URL = "https://api.openai.com/v1"
_NO_KEY = "none"
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64
_OURS = {"model", "messages", "stream", "n", "max_tokens", "max_completion_tokens"}


class Options(ReplyOptions):
    """The `options` of an entry of this provider.

    `strict` asks the server to constrain the reply to the schema, where the schema allows it;
    `json_mode` asks for any JSON object when the schema is in the prompt. `constrain` sends the
    schema beside the prompt that holds it, for servers that constrain the reply without showing
    the schema to the model; local models do so by default. `schema_dialect` says in which form the
    server takes a schema; for a local model it is found by trying.
    """

    strict: bool = False
    json_mode: bool = False
    constrain: bool | None = None
    schema_dialect: SchemaDialect | None = None
    max_tokens_parameter: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


class OpenAIProvider:
    """One model of one server that speaks this format.

    Raises:
        ConfigError: the entry's options or arguments cannot be used.
    """

    source = Source.network

    def __init__(self, model: Model) -> None:
        self._model = model
        self._options = options_of(model, Options, reserved=_OURS)
        self._dialect = DialectFinder(model)
        self._error_source = ErrorSource(model=model, url=server_url(model, _URL))
        # Not None: the SDK would send OPENAI_API_KEY to a server that must not get a key.
        key = model.key or _NO_KEY
        self._client = openai.AsyncOpenAI(
            api_key=key, base_url=self._error_source.url, max_retries=0, timeout=None,
            http_client=bounded(openai.DefaultAsyncHttpxClient(timeout=None), "openai"),
        )  # fmt: skip

    async def send(self, request: Request) -> Answer:
        """Send `request` once.

        Raises:
            ProviderError: there was no reply.
        """
        messages = sendable(request.messages)
        body = {"messages": messages, **await self._body(request)}
        try:
            return await self._post({"model": request.model_id, **body})
        except ProviderError:
            self._dialect.doubt()
            raise

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    async def _post(self, body: dict[str, Any]) -> Answer:
        try:
            # The typed method takes 0.3 s to import, and 2 ms more for each call.
            raw = await self._client.post("/chat/completions", cast_to=httpx.Response, body=body)
        except Exception as error:
            raise failure_of(error, self._error_source) from error
        value = json_value(raw.content, Completion)
        if (failure := failure_in(value, self._error_source)) is not None:
            raise failure
        reply = read_value(value, Completion)
        if reply.fault is not None:
            raise self._failure_in(reply, reply.fault)
        return accepted(answered(value, reply), self._options)

    async def _body(self, request: Request) -> dict[str, Any]:
        body = other_arguments(request.arguments, reserved=_OURS)
        body[self._options.max_tokens_parameter] = request.max_output_tokens
        if request.schema is None:
            return body
        if self._sends_schema:
            body |= await self._format(request.schema, request.schema_name)
        elif self._options.json_mode:
            body["response_format"] = {"type": "json_object"}
        return body

    @property
    def _sends_schema(self) -> bool:
        if self._model.structured == "json_schema":
            return True
        asked = self._options.constrain
        return self._model.local and not self._options.json_mode if asked is None else asked

    async def _format(self, schema: dict[str, Any], name: str) -> dict[str, Any]:
        closed = strict(schema, all_required=True) if self._options.strict else None
        dialect = self._options.schema_dialect
        if dialect is None:
            is_local = self._model.local
            dialect = await self._dialect.find(self._ask) if is_local else SchemaDialect.json_schema
        return dialect.fields(
            schema if closed is None else closed,
            _NOT_IN_A_NAME.sub("_", name)[:_LONGEST_NAME],
            strict=closed is not None,
        )

    async def _ask(self, fields: dict[str, Any]) -> str:
        return (await self._post({"model": self._model.model_id, **fields})).text

    def _failure_in(self, reply: Completion, fault: dict[str, Any]) -> ProviderError:
        code = fault.get("code")
        return failure_of_status(
            code if isinstance(code, int) else HTTPStatus.BAD_GATEWAY,
            self._error_source,
            text=json.dumps({"error": fault}),
            billed=bool(reply.choices),
        )


build = OpenAIProvider
