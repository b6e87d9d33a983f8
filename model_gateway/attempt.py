"""One attempt at one call: the record that every later figure is computed from."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields
from typing import Any

from model_gateway.call import FailureKind, Source

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
    `cost` is in US dollars and None where no price is known; `seconds` is wall time.
    `status` is ok, partial (a value was recovered from a reply that broke off), failed, or
    cancelled (the cell ended during the request).
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
            KeyError, ValueError: the row lacks a field or holds an unknown kind or source.
        """
        values = {f.name: row[f.name] for f in fields(cls) if f.name in row}
        kind = values["failure_kind"]
        values["failure_kind"] = None if kind is None else FailureKind(kind)
        values["source"] = Source(values["source"])
        try:
            return cls(**values)
        except TypeError as error:
            raise KeyError(str(error)) from error
