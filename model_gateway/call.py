"""What a step sends to a model and what it gets back: the types that both sides share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

R = TypeVar("R", bound=BaseModel)


class FailureKind(StrEnum):
    """Why an attempt gave nothing usable, as the run records name it.

    `killed` belongs to cells: something outside, such as a lack of memory, ended the process.
    """

    timeout = "timeout"
    rate_limit = "rate_limit"
    daily_limit = "daily_limit"
    no_credit = "no_credit"
    access = "access"
    model_not_found = "model_not_found"
    out_of_memory = "out_of_memory"
    server = "server"
    connection = "connection"
    truncated = "truncated"
    schema = "schema"
    schema_echo = "schema_echo"
    empty = "empty"
    refused = "refused"
    too_long = "too_long"
    configuration = "configuration"
    budget = "budget"
    killed = "killed"


class Source(StrEnum):
    """Where a reply came from; `none` if nothing was sent. Only `network` can be real evidence."""

    network = "network"
    journal = "journal"
    cache = "cache"
    recorded = "recorded"
    simulated = "simulated"
    none = "none"


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a call ended without a value: a kind to count by and a sentence to read."""

    kind: FailureKind
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"

    def to_row(self) -> dict[str, str]:
        """Return it as plain JSON values."""
        return {"kind": self.kind, "message": self.message}

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Failure:
        """Read a row.

        Raises:
            KeyError, ValueError: the row lacks a field or holds an unknown kind.
        """
        return cls(kind=FailureKind(row["kind"]), message=row["message"])


@dataclass(frozen=True, kw_only=True)
class Call(Generic[R]):
    """One question to a model.

    `key` names the call inside its step and stays the same from run to run, because the
    journal finds a finished call by it. `schema` is the shape of the reply; `max_output_tokens`
    bounds its length, and so the cost that is reserved.
    """

    key: str
    system: str
    user: str
    schema: type[R]
    max_output_tokens: int = 8192


@dataclass(frozen=True, kw_only=True)
class Reply(Generic[R]):
    """What came back: a value, or the failure as a value (never as an exception).

    `partial` says that `value` was recovered from a reply that broke off, `mended` names what had
    to be mended to read it.
    `seconds` is the wall time of the whole exchange, retries and waiting included.
    """

    value: R | None
    text: str
    model: str
    failure: Failure | None = None
    partial: bool = False
    mended: tuple[str, ...] = ()
    seconds: float = 0.0


class Ask(Protocol):
    """The only way from a step to a model. Safe to call from several threads at once."""

    def __call__(self, call: Call[R]) -> Reply[R]:
        """Put `call` to the model and return its reply or failure."""
        ...
