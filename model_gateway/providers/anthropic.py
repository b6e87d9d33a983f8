"""Models behind the Anthropic messages format."""

from __future__ import annotations

from typing import Any, cast

import anthropic
from anthropic.types import MessageParam

from model_gateway.attempt import Message
from model_gateway.call import Source
from model_gateway.config import Model
from model_gateway.entry_settings import (
    ReplyOptions,
    accepted,
    options_of,
    other_arguments,
    server_url,
)
from model_gateway.provider import Answer, Request
from model_gateway.providers.http_client import bounded
from model_gateway.providers.http_errors import ErrorSource, failure_in, failure_of
from model_gateway.strict_schema import strict
from model_gateway.wire_bodies import answered, json_value, read_value
from model_gateway.wire_replies import AnthropicMessage, sendable

_URL = "https://api.anthropic.com"
_NO_KEY = "none"
_TOOL = "reply"
_OURS = {"model", "messages", "system", "stream", "max_tokens"}


class Options(ReplyOptions):
    """The `options` of an entry of this provider.

    `structured_tool` requests the reply as the arguments of a tool that the model must call, for
    models and servers without native structured output.
    """

    structured_tool: bool = False


class AnthropicProvider:
    """One model of one server that speaks this format.

    Raises:
        ConfigError: the entry's options or arguments cannot be used.
    """

    source = Source.network

    def __init__(self, model: Model) -> None:
        self._model = model
        self._options = options_of(model, Options, reserved=_OURS)
        self._error_source = ErrorSource(model=model, url=server_url(model, _URL))
        self._client = anthropic.AsyncAnthropic(
            # Not None: the SDK would look for its own key.
            api_key=model.key or _NO_KEY,
            base_url=self._error_source.url,
            max_retries=0,
            # Set, because the SDK refuses long replies under its default time limit.
            timeout=None,
            open_telemetry=False,
            http_client=bounded(anthropic.DefaultAsyncHttpxClient(timeout=None), "anthropic"),
        )
        # Looked up here because it imports half of the SDK, which must not block the event loop.
        self._create = self._client.messages.with_raw_response.create

    async def send(self, request: Request) -> Answer:
        """Send `request` once.

        Raises:
            ProviderError: there was no reply.
        """
        system, messages = _without_system(sendable(request.messages))
        body = {
            **other_arguments(request.arguments, reserved=_OURS),
            **self._schema_fields(request),
        }
        if system:
            body["system"] = system
        try:
            raw = await self._create(
                model=request.model_id,
                max_tokens=request.max_output_tokens,
                messages=cast(list[MessageParam], messages),
                extra_body=body,
            )
        except Exception as error:
            raise failure_of(error, self._error_source) from error
        value = json_value(raw.http_response.content, AnthropicMessage)
        if (failure := failure_in(value, self._error_source)) is not None:
            raise failure
        answer = answered(value, read_value(value, AnthropicMessage))
        return accepted(answer, self._options)

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    def _schema_fields(self, request: Request) -> dict[str, Any]:
        """Return the fields that make the server constrain the reply to the schema."""
        if request.schema is None or self._model.structured != "json_schema":
            return {}
        closed = strict(request.schema, all_required=False)
        if closed is None or self._options.structured_tool:
            tool = {
                "name": _TOOL,
                "description": "Give the reply.",
                "input_schema": request.schema,
            }
            return {"tools": [tool], "tool_choice": {"type": "tool", "name": _TOOL}}
        config = request.arguments.get("output_config") or {}
        return {"output_config": {**config, "format": {"type": "json_schema", "schema": closed}}}


build = AnthropicProvider


def _without_system(messages: list[Message]) -> tuple[str, list[Message]]:
    """Separate the system messages from the others, as this format requires."""
    system = "\n\n".join(m["content"] for m in messages if m["role"] == "system")
    others = [m for m in messages if m["role"] != "system"]
    # The server refuses a request with only a system message.
    return (system, others) if others else ("", [{"role": "user", "content": system}])
