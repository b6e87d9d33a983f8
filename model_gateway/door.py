"""The step's side of the gateway: one connection per call, over a socket that is the cell's own."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Self

from pydantic import BaseModel

from model_gateway.attempt import Message
from model_gateway.call import Call, Failure, R, Reply
from model_gateway.errors import DoorError
from model_gateway.line_connection import LineConnection
from model_gateway.replies import ParsedReply, parse

VARIABLE = "MODEL_GATEWAY"


@functools.cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model; cached, because a step needs the same one many times."""
    return model.model_json_schema()


@dataclass(frozen=True, kw_only=True)
class Question:
    """What comes through a door: one call, as messages.

    `call_index` is its number among the cell's calls, for code whose keys are digests of the
    content.
    """

    key: str
    messages: list[Message]
    call_index: int | None = None
    schema: dict[str, Any] | None = None
    schema_name: str = "Reply"
    max_output_tokens: int = 8192
    arguments: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, call: Call[R]) -> Self:
        """Return the question of a step's call."""
        return cls(
            key=call.key,
            messages=[
                {"role": "system", "content": call.system},
                {"role": "user", "content": call.user},
            ],
            schema=schema_of(call.schema),
            schema_name=call.schema.__name__,
            max_output_tokens=call.max_output_tokens,
        )

    def to_message(self) -> dict[str, Any]:
        """Return it as it goes over the socket, where `call_index` is called `place`."""
        values = dict(vars(self))
        return {"place": values.pop("call_index"), **values}

    @classmethod
    def from_message(cls, message: dict[str, Any]) -> Self:
        """Read what `to_message` wrote.

        Raises:
            KeyError, TypeError, ValueError: `message` is not a question.
        """
        bound = message["max_output_tokens"]
        if not isinstance(bound, int) or bound < 1:
            raise ValueError("max_output_tokens is not a number of tokens")
        return cls(
            key=str(message["key"]),
            messages=[{"role": m["role"], "content": m["content"]} for m in message["messages"]],
            call_index=message.get("place"),
            schema=message["schema"],
            schema_name=message["schema_name"],
            max_output_tokens=bound,
            arguments=message.get("arguments", {}),
        )


@dataclass(frozen=True, kw_only=True)
class ExchangeEnd:
    """How an exchange ended, with the last reply's text as it came."""

    text: str
    model: str
    failure: Failure | None
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class DoorReply(ExchangeEnd, Generic[R]):
    """The end of an exchange whose replies were parsed here; `value` is None where it failed."""

    value: R | None
    partial: bool
    mended: tuple[str, ...] = ()


class Door:
    """Puts calls to the gateway. Each call has its own connection, so threads may share a door."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, call: Call[R]) -> Reply[R]:
        """Put `call` and return its value or its failure.

        Raises:
            DoorError: the gateway is not there, or went away during the call.
        """
        began = time.monotonic()
        reply = self.exchange_parsed(Question.of(call), call.schema)
        return Reply(
            value=reply.value,
            text=reply.text,
            model=reply.model,
            failure=reply.failure,
            partial=reply.partial,
            mended=reply.mended,
            seconds=time.monotonic() - began,
        )

    def exchange_parsed(self, question: Question, schema: type[R]) -> DoorReply[R]:
        """Put `question`; parse each reply as a `schema`, so that the model can correct it.

        Raises:
            DoorError: the gateway is not there, or went away during the call.
        """
        parsed: ParsedReply[R] = ParsedReply()
        with self._exchange(question, parses=True) as connection:
            while "ended" not in (message := _receive(connection)):
                parsed = parse(
                    message["text"], schema, cut_off=message["cut_off"], last=message["last"]
                )
                failure = parsed.failure and parsed.failure.to_row()
                connection.send(
                    {"partial": parsed.partial, "failure": failure, "mended": parsed.mended}
                )
        end = _end(message)
        good = end["failure"] is None
        return DoorReply(
            **end, value=parsed.value if good else None, partial=parsed.partial and good,
            mended=parsed.mended if good else (),
        )  # fmt: skip

    def exchange(self, question: Question) -> ExchangeEnd:
        """Put `question` and return the text as it came, for code that reads it itself.

        Raises:
            DoorError: the gateway is not there, or went away during the call.
        """
        with self._exchange(question, parses=False) as connection:
            return ExchangeEnd(**_end(_receive(connection)))

    @contextmanager
    def _exchange(self, question: Question, *, parses: bool) -> Iterator[LineConnection]:
        try:
            with LineConnection(self._path) as connection:
                connection.send({**question.to_message(), "judged": parses})
                yield connection
        except OSError as error:
            raise DoorError(
                f"The model gateway at {self._path} cannot be reached: {error}"
            ) from error


def from_environment() -> Door | None:
    """Return the door that the starter of this process opened for it, if there is one."""
    path = os.environ.get(VARIABLE)
    return Door(Path(path)) if path else None


def _receive(connection: LineConnection) -> dict[str, Any]:
    message = connection.receive()
    if message is None:
        raise DoorError("The model gateway closed the connection during a call.")
    return message


def _end(message: dict[str, Any]) -> dict[str, Any]:
    end = message["ended"]
    return {**end, "failure": end["failure"] and Failure.from_row(end["failure"])}
