"""Any llama-index LLM class, named by its class path."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import httpx
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms import LLM, CustomLLM
from pydantic import ValidationError

from model_gateway.call import Source
from model_gateway.config import Model
from model_gateway.daemon_thread import in_daemon_thread
from model_gateway.entry_settings import option_problems
from model_gateway.errors import ConfigError
from model_gateway.provider import Answer, ProviderError, Request
from model_gateway.providers import foreign_clients
from model_gateway.providers.http_client import bounded, bounded_sync
from model_gateway.providers.http_errors import ErrorSource, failure_of
from model_gateway.visible import sound
from model_gateway.wire_replies import (
    AnthropicMessage,
    Completion,
    OllamaChat,
    sendable,
)
from model_gateway.wire_usage import CompletionUsage

_MODEL_NAMES = ("model", "model_name", "model_id")
_TIME_LIMITS = ("timeout", "request_timeout")
_BOUND = "max_tokens"
_GRACE_SECONDS = 5.0


class LlamaIndexProvider:
    """One LLM class with the settings of one entry.

    The class gets `options` as constructor arguments, and the model id, the key, the time limit
    and a bound of no retries where it takes such arguments. There is one object for each
    combination of constructor arguments and bound on the reply; other arguments go with each call.
    """

    source = Source.network

    def __init__(self, model: Model, kind: type[LLM]) -> None:
        self._model = model
        self._kind = kind
        self._takes = set(kind.model_fields) | set(inspect.signature(kind.__init__).parameters)
        self._error_source = ErrorSource(model=model, url=model.class_path or "")
        self._llms: dict[str, LLM] = {}
        self._llm(self._settings(model.arguments))

    async def send(self, request: Request) -> Answer:
        """Send `request` once.

        Raises:
            ProviderError: there was no reply.
        """
        settings = self._settings(request.arguments)
        if _BOUND in self._takes:
            settings[_BOUND] = request.max_output_tokens
        others = {k: v for k, v in request.arguments.items() if k not in settings}
        messages = [ChatMessage(**m) for m in sendable(request.messages)]
        try:
            llm = self._llm(settings)
            foreign_clients.bound(llm)
            reply = await _chat(llm, messages, others)
        except Exception as error:
            raise failure_of(error, self._error_source) from error
        return _answer(reply)

    async def close(self) -> None:
        """Close the client under the name that llama-index classes use."""
        for llm in self._llms.values():
            client = getattr(llm, "_aclient", None)
            close = getattr(client, "close", None)
            if inspect.iscoroutinefunction(close):
                with contextlib.suppress(RuntimeError):
                    await close()

    def _settings(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in arguments.items() if name in self._takes}

    def _llm(self, settings: dict[str, Any]) -> LLM:
        key = json.dumps(settings, sort_keys=True, default=repr)
        if key not in self._llms:
            llm = self._kind(**{**self._defaults(), **self._model.options, **settings})
            foreign_clients.bound(llm, create=True)
            self._llms[key] = llm
        return self._llms[key]

    def _defaults(self) -> dict[str, Any]:
        """Return the arguments that the gateway sets where the class takes them."""
        defaults: dict[str, Any] = {"max_retries": 0}
        defaults |= dict.fromkeys(_MODEL_NAMES, self._model.model_id)
        # The gateway's limit ends earlier; this one ends what cannot be cancelled.
        defaults |= dict.fromkeys(_TIME_LIMITS, self._model.attempt_seconds + _GRACE_SECONDS)
        # A class that creates new clients for each call creates them around these.
        if "http_client" in self._takes:
            defaults["http_client"] = bounded_sync(httpx.Client())
        if "async_http_client" in self._takes:
            defaults["async_http_client"] = bounded(httpx.AsyncClient())
        if self._model.key:
            defaults["api_key"] = self._model.key
        return {name: value for name, value in defaults.items() if name in self._takes}


def build(model: Model) -> LlamaIndexProvider:
    """Return the provider of `model`.

    Raises:
        ConfigError: the class is missing, is not a llama-index LLM, or refuses its arguments.
    """
    kind = _class(model)
    try:
        return LlamaIndexProvider(model, kind)
    except ValidationError as error:
        raise _refused(model, option_problems(error)) from error
    except Exception as error:
        message = ErrorSource(model=model, url="").text(f"{type(error).__name__}: {error}")
        raise _refused(model, message) from error


def _refused(model: Model, why: str) -> ConfigError:
    return ConfigError(
        f"{model.name}: {model.class_path} cannot be created from the entry: {why}. "
        "Its constructor gets `options`."
    )


def _class(model: Model) -> type[LLM]:
    module_name, _, name = (model.class_path or "").partition(":")
    if not module_name or not name:
        raise ConfigError(
            f'{model.name}: class_path is {model.class_path!r}; write "package.module:Class", '
            'such as "llama_index.llms.openai_like:OpenAILike".'
        )
    try:
        kind = getattr(importlib.import_module(module_name), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"{model.name}: {model.class_path} cannot be imported: {error}. Install the package "
            f"that holds it, or correct class_path."
        ) from error
    if not (isinstance(kind, type) and issubclass(kind, LLM)):
        raise ConfigError(f"{model.name}: {model.class_path} is not a llama-index LLM class.")
    return kind


async def _chat(llm: LLM, messages: Sequence[ChatMessage], others: dict[str, Any]) -> ChatResponse:
    # CustomLLM's achat calls chat, which would block every other call of the gateway.
    if _owner(type(llm), "achat") is not CustomLLM:
        with contextlib.suppress(NotImplementedError):
            return await llm.achat(messages, **others)
    return await in_daemon_thread(lambda: llm.chat(messages, **others), "llama-index-chat")


def _owner(kind: type, method: str) -> type:
    # Methods cannot be compared: llama-index wraps them on every access.
    return next(base for base in kind.__mro__ if method in vars(base))


def _answer(reply: ChatResponse) -> Answer:
    """Return the text, with the details of a raw reply in one of the known formats."""
    text = sound(reply.message.content or "")
    for shape in (Completion, AnthropicMessage, OllamaChat):
        with contextlib.suppress(ValidationError, ProviderError):
            raw = shape.model_validate(reply.raw).answer()
            return replace(raw, text=text or raw.text, mended=[] if text else raw.mended)
    counts = CompletionUsage.model_validate(reply.additional_kwargs).counts
    return Answer(text=text, input_tokens=counts.input_tokens, output_tokens=counts.output_tokens)
