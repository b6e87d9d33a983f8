"""One attempt at one call: the record that every later figure is computed from."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from model_gateway.call import FailureKind, Source
from model_gateway.visible import sound

Message = dict[str, str]


def digest_of(*parts: Any) -> str:
    """Return the SHA-256 of `parts` as canonical JSON: the identity of a request."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """Everything about one request and its reply, as stored in `attempts.jsonl`.

    `messages` and `schema` are what was sent, after any schema text was added to the prompt;
    `arguments` are sampling arguments, `options` those of the entry that shape a reply.
    `cost` is what was billed, in US dollars, None where that is unknown: what the server reported,
    or else `cost_by_price`, what the tokens cost at the entry's price. `cached_input_tokens` and
    `cache_write_tokens` are parts of `input_tokens`. `seconds` is wall time.
    `status` is ok, partial (a value was recovered from a reply that broke off), failed, or
    cancelled (the cell ended during the request). `mended` names what had to be mended to read the
    reply; `reasoning` is what the server sent beside an empty text.
    """

    cell: str
    key: str
    repeat: int
    number: int
    model: str
    model_id: str
    provider: str
    messages: list[Message]
    schema: dict[str, Any] | None
    arguments: dict[str, Any]
    max_output_tokens: int
    text: str
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None
    thinking_tokens: int | None
    cost: float | None
    started: str
    seconds: float
    status: str
    failure_kind: FailureKind | None
    failure_message: str | None
    source: Source
    options: dict[str, Any] = field(default_factory=dict)
    fallback: bool = False
    reported_model: str | None = None
    mended: list[str] = field(default_factory=list)
    reasoning: str | None = None
    cached_input_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost_by_price: float | None = None

    @property
    def request_digest(self) -> str:
        """The journal's key: attempts with the same digest sent the same request."""
        return digest_of(
            self.provider, self.model_id, self.messages, self.schema, self.arguments,
            self.options, self.max_output_tokens, self.cell, self.key, self.repeat,
        )  # fmt: skip

    def to_row(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Attempt:
        """Read a row; unknown keys (of a newer version) are ignored.

        Raises:
            KeyError, ValueError: the row lacks a field, or one holds what none of ours can hold.
        """
        values = {f.name: read(f.name, row[f.name]) for f in fields(cls) if f.name in row}
        kind = values["failure_kind"]
        values["failure_kind"] = None if kind is None else FailureKind(kind)
        values["source"] = Source(values["source"])
        try:
            return cls(**values)
        except TypeError as error:
            raise KeyError(str(error)) from error


def read(name: str, value: Any) -> Any:
    """Return the value of a field as it may go on into other records.

    Raises:
        ValueError: it is not a value that this field can have.
    """
    if not _CHECKS[name](value):
        raise ValueError(f"{name} cannot be {type(value).__name__}")
    if isinstance(value, str):
        return sound(value)
    if name == "messages":
        return [{key: sound(text) for key, text in message.items()} for message in value]
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LARGEST_COUNT


def _is_amount(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0 <= value <= _LARGEST_COUNT


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and _is_shallow(value, _DEEPEST)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(text, str) for text in value)


def _are_messages(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(message, dict) and all(isinstance(text, str) for text in message.values())
        for message in value
    )


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _is_shallow(value: Any, levels: int) -> bool:
    """Whether a JSON value has at most this many levels, so that it can be written again."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_is_shallow(part, levels - 1) for part in value)


_DEEPEST = 100
_LARGEST_COUNT = 2**53
_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("cell", "key", "model", "model_id", "provider", "text"), _is_text),
    **dict.fromkeys(("started", "status", "source"), _is_text),
    **dict.fromkeys(("failure_kind", "failure_message", "reported_model"), _or_none(_is_text)),
    **dict.fromkeys(("finish_reason", "reasoning", "reasoning_field"), _or_none(_is_text)),
    **dict.fromkeys(("repeat", "number", "max_output_tokens"), _is_count),
    **dict.fromkeys(("input_tokens", "output_tokens", "thinking_tokens"), _or_none(_is_count)),
    **dict.fromkeys(("cached_input_tokens", "cache_write_tokens"), _or_none(_is_count)),
    **dict.fromkeys(("arguments", "options"), _is_object),
    "messages": _are_messages,
    "mended": _are_texts,
    "schema": _or_none(_is_object),
    **dict.fromkeys(("cost", "cost_by_price"), _or_none(_is_amount)),
    "seconds": _is_amount,
    "fallback": _is_flag,
}
