"""The step's side of the gateway: one connection per call, over a socket that is the cell's own."""

from __future__ import annotations

import functools
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Generic

from pydantic import BaseModel

from model_gateway.attempt import Message
from model_gateway.call import Call, Failure, FailureKind, R, Reply
from model_gateway.errors import DoorError
from model_gateway.replies import Judgement, judge

VARIABLE = "MODEL_GATEWAY"


@dataclass(frozen=True, kw_only=True)
class ExchangeEnd:
    """What the gateway said in the end of an exchange that nobody judged."""

    text: str
    model: str
    failure: Failure | None
    finish_reason: str | None
    input_tokens: int | None
    output_tokens: int | None


@dataclass(frozen=True, kw_only=True)
class DoorReply(Generic[R]):
    """How an exchange ended that was judged here; `value` is None exactly when it failed."""

    value: R | None
    partial: bool
    told: ExchangeEnd


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
        judged = self.judged(
            key=call.key,
            messages=[
                {"role": "system", "content": call.system},
                {"role": "user", "content": call.user},
            ],
            schema=call.schema,
            max_output_tokens=call.max_output_tokens,
        )
        return Reply(
            value=judged.value,
            text=judged.told.text,
            model=judged.told.model,
            failure=judged.told.failure,
            partial=judged.partial,
            seconds=time.monotonic() - began,
        )

    def judged(
        self,
        *,
        key: str,
        messages: list[Message],
        schema: type[R],
        max_output_tokens: int = 8192,
        arguments: dict[str, Any] | None = None,
        place: int | None = None,
    ) -> DoorReply[R]:
        """Put messages of any number; every reply is read as a `schema` and told back if it fails.

        `place` is the call's number in the cell, for code whose keys are made of the content.

        Raises:
            DoorError: the gateway is not there, or went away during the call.
        """
        question = {
            "key": key,
            "messages": messages,
            "schema": schema_of(schema),
            "schema_name": schema.__name__,
            "max_output_tokens": max_output_tokens,
            "arguments": arguments or {},
            "place": place,
            "judged": True,
        }
        judgement: Judgement[R] = Judgement()
        with _exchange(self._path, question) as wire:
            while True:
                told = wire.hear()
                if "ended" in told:
                    break
                judgement = judge(told["text"], schema, cut_off=told["cut_off"], last=told["last"])
                wire.say({"partial": judgement.partial, "failure": _row(judgement.failure)})
        ended = _told(told["ended"])
        good = ended.failure is None
        return DoorReply(
            value=judgement.value if good else None,
            partial=judgement.partial and good,
            told=ended,
        )

    def exchange(
        self,
        *,
        key: str,
        messages: list[Message],
        schema: dict[str, Any] | None = None,
        schema_name: str = "Reply",
        max_output_tokens: int = 8192,
        arguments: dict[str, Any] | None = None,
        place: int | None = None,
    ) -> ExchangeEnd:
        """Put plain messages and return the text as it came, for code that reads it itself.

        Raises:
            DoorError: the gateway is not there, or went away during the call.
        """
        question = {
            "key": key,
            "messages": messages,
            "schema": schema,
            "schema_name": schema_name,
            "max_output_tokens": max_output_tokens,
            "arguments": arguments or {},
            "place": place,
            "judged": False,
        }
        with _exchange(self._path, question) as wire:
            return _told(wire.hear()["ended"])


def from_environment() -> Door | None:
    """Return the door that whoever started this process opened for it, if there is one."""
    path = os.environ.get(VARIABLE)
    return Door(Path(path)) if path else None


class _Wire:
    def __init__(self, connection: socket.socket, lines: BinaryIO) -> None:
        self._connection = connection
        self._lines = lines

    def say(self, message: dict[str, Any]) -> None:
        # ensure_ascii keeps lone surrogates from breaking the wire.
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def hear(self) -> dict[str, Any]:
        line = self._lines.readline()
        if not line.endswith(b"\n"):
            raise DoorError("The model gateway closed the connection during a call.")
        message: dict[str, Any] = json.loads(line)
        return message


@functools.cache
def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model, made once: a step asks for the same one many times."""
    return model.model_json_schema()


@contextmanager
def _exchange(path: Path, question: dict[str, Any]) -> Iterator[_Wire]:
    with socket.socket(socket.AF_UNIX) as connection, connection.makefile("rb") as lines:
        try:
            connection.connect(str(path))
            wire = _Wire(connection, lines)
            wire.say(question)
            yield wire
        except OSError as error:
            raise DoorError(f"The model gateway at {path} cannot be reached: {error}") from error


def _row(failure: Failure | None) -> dict[str, str] | None:
    return None if failure is None else {"kind": failure.kind, "message": failure.message}


def _told(ended: dict[str, Any]) -> ExchangeEnd:
    failure = ended["failure"]
    if failure is not None:
        failure = Failure(kind=FailureKind(failure["kind"]), message=failure["message"])
    return ExchangeEnd(**{**ended, "failure": failure})
