"""What a wire server received, and what it can be set up to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request: `at` is the monotonic time when it was whole, `body` its decoded JSON.

    `messages` (the system message among them), `schema` (the one the server is to hold the model
    to), `max_tokens` and `key` are the same facts in every format.
    """

    at: float
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    messages: list[dict[str, str]] = field(default_factory=list)
    schema: dict[str, Any] | None = None
    max_tokens: int | None = None

    @property
    def key(self) -> str:
        """The key that came with the request."""
        sent = self.headers.get("x-api-key") or self.headers.get("authorization", "")
        return sent.removeprefix("Bearer ")


@dataclass(frozen=True, kw_only=True)
class Say:
    """A whole reply. `tool` sends the text as the arguments of a tool call."""

    text: str
    finish: str = "stop"
    input_tokens: int = 11
    output_tokens: int = 7
    thinking_tokens: int | None = None
    cost: float | None = None
    tool: bool = False


@dataclass(frozen=True, kw_only=True)
class Status:
    """An error status in the format's own error body; `echo_key` repeats the key it was sent."""

    code: int
    message: str = "the server says no"
    name: str = "some_error"
    headers: Mapping[str, str] = field(default_factory=dict)
    echo_key: bool = False


@dataclass(frozen=True, kw_only=True)
class Raw:
    """These bytes as the body of a reply."""

    body: bytes
    code: int = 200
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Drip:
    """A whole reply, but one byte at a time."""

    text: str
    every: float = 0.02


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Half a reply, and then the end of the connection."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Reset:
    """The end of the connection instead of a reply."""


@dataclass(frozen=True, kw_only=True)
class Hang:
    """No reply, for as long as the client waits."""


Step = str | Say | Status | Raw | Drip | Cut | Reset | Hang
"""What to do with one request; a plain string is said as a whole reply."""
