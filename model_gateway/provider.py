"""The interface of a provider, which puts one request to one model, once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from model_gateway.attempt import Message
from model_gateway.call import FailureKind, Source
from model_gateway.config import Model


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The asking cell: used only by embedded providers, which answer by plan and seed.

    `number` counts the attempts at one call from 1; `seed` is the cell's. `call_id` identifies the
    call in its cell: its key, or its number where the key changes with the prompt.
    """

    plan: str
    key: str
    call_id: str
    repeat: int
    number: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it goes over the wire: messages, schema and bound of the reply."""

    model_id: str
    messages: list[Message]
    schema: dict[str, Any] | None
    schema_name: str
    max_output_tokens: int
    arguments: Mapping[str, Any]
    origin: Origin


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One reply. Token counts are those the server reported, None where it reported none.

    `finish_reason` is stop, length, refusal or the server's own word; `thinking_tokens` is the
    hidden part of `output_tokens`, `cached_input_tokens` and `cache_write_tokens` what the server
    read from a cache and wrote to one, parts of `input_tokens`; `cost` is in US dollars where the
    server reports it; `model_id` is the answering model as the server names it. `reasoning` is what
    the server sent in `reasoning_field`, beside the text; `mended` what was mended to read it.
    """

    text: str
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    thinking_tokens: int | None = None
    cost: float | None = None
    model_id: str | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning: str | None = None
    reasoning_field: str | None = None
    mended: list[str] = field(default_factory=list)


class ProviderError(Exception):
    """The request gave no reply. `retry_after` is in seconds, where the server named a time.

    `billed` says whether the request may have cost money all the same.
    """

    def __init__(
        self,
        kind: FailureKind,
        message: str,
        *,
        retry_after: float | None = None,
        billed: bool = False,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.billed = billed


class Provider(Protocol):
    """Puts requests to the models of one entry. It never retries; the gateway does."""

    source: Source

    async def send(self, request: Request) -> Answer:
        """Send `request` once.

        Raises:
            ProviderError: there was no reply. Cancelling the task ends the exchange.
        """
        ...

    async def close(self) -> None:
        """Close connections."""
        ...


Build = Callable[[Model], Provider]
