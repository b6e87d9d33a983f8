"""Models on an Ollama server."""

from __future__ import annotations

import re
from typing import Any

import ollama
from pydantic import Field

from model_gateway.attempt import Message
from model_gateway.call import FailureKind, Source
from model_gateway.config import Model
from model_gateway.entry_settings import ReplyOptions, accepted, options_of, other_arguments
from model_gateway.provider import Answer, ProviderError, Request
from model_gateway.providers.http_client import bounded
from model_gateway.providers.http_errors import ErrorSource, failure_in, failure_of
from model_gateway.wire_bodies import answered, json_value, read_value
from model_gateway.wire_replies import OllamaChat, sendable

_URL = "http://127.0.0.1:11434"
_ANY_HOST = re.compile(r"^(\w+://)?(?:0\.0\.0\.0|\[::\])(?=[:/]|$)")
_OURS = {"model", "messages", "stream", "format", "num_predict", "num_ctx"}
_BESIDE_OPTIONS = {"think", "keep_alive"}
_BYTES_PER_TOKEN = 4


class Options(ReplyOptions):
    """The `options` of an entry of this provider.

    `num_ctx` is the size of the context in tokens, prompt and reply together. It is always sent,
    because the server's default is small and it cuts what does not fit without a message.
    `constrain` sends the schema beside the prompt that holds it: the server only constrains the
    output, and does not show the schema and its descriptions to the model.
    """

    num_ctx: int = Field(default=16_384, gt=0)
    constrain: bool = False


class OllamaProvider:
    """One model of one Ollama server.

    Raises:
        ConfigError: the entry's options or arguments cannot be used.
    """

    source = Source.network

    def __init__(self, model: Model) -> None:
        self._model = model
        self._options = options_of(model, Options, reserved=_OURS)
        # OLLAMA_HOST often holds the address the server listens on, which may accept no connection.
        url = _ANY_HOST.sub(r"\g<1>127.0.0.1", model.server or _URL)
        self._error_source = ErrorSource(model=model, url=url)
        headers = {"authorization": f"Bearer {model.key}"} if model.key else None
        self._client = ollama.AsyncClient(url, headers=headers, timeout=None)
        http = bounded(self._client._client, "ollama")  # noqa: SLF001 - it takes no client
        if headers is None:
            # The SDK adds the key of Ollama's own service, whatever the server.
            http.headers.pop("authorization", None)

    async def send(self, request: Request) -> Answer:
        """Send `request` once.

        Raises:
            ProviderError: there was no reply, or the prompt cannot fit into the context.
        """
        messages = sendable(request.messages)
        self._refuse_too_long(messages)
        arguments = other_arguments(request.arguments, reserved=_OURS)
        beside = {name: arguments.pop(name) for name in _BESIDE_OPTIONS & arguments.keys()}
        native = self._model.structured == "json_schema" or self._options.constrain
        body = {
            "model": request.model_id,
            "messages": messages,
            "stream": False,
            "options": {
                **arguments,
                "num_ctx": self._options.num_ctx,
                "num_predict": request.max_output_tokens,
            },
            **beside,
        }
        if native and request.schema is not None:
            body["format"] = request.schema
        try:
            # The public method cannot read the stream of a server that streams in any case.
            request_raw: Any = self._client._request_raw  # noqa: SLF001
            raw = await request_raw("POST", "/api/chat", json=body)
        except Exception as error:
            raise failure_of(error, self._error_source) from error
        value = json_value(raw.content, OllamaChat)
        if (failure := failure_in(value, self._error_source)) is not None:
            raise failure
        return accepted(answered(value, read_value(value, OllamaChat)), self._options)

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()  # type: ignore[no-untyped-call]

    def _refuse_too_long(self, messages: list[Message]) -> None:
        tokens = sum(len(m["content"].encode()) for m in messages) // _BYTES_PER_TOKEN
        if tokens > self._options.num_ctx:
            raise ProviderError(
                FailureKind.too_long,
                f"the prompt has about {tokens} tokens and Ollama would cut it to options.num_ctx, "
                f"{self._options.num_ctx}; raise num_ctx in the entry of {self._model.name}",
            )


build = OllamaProvider
