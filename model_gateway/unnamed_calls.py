"""Calls through a door for code that gives its calls no names and expects failures to be raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from model_gateway.attempt import Message
from model_gateway.call import Failure, R
from model_gateway.door import VARIABLE, Door, DoorReply, ExchangeEnd, from_environment
from model_gateway.errors import DoorError, GatewayError
from model_gateway.occurrences import Occurrences

E = TypeVar("E")


class CallFailedError(GatewayError):
    """The call used up its attempts; `failure` says how it ended, `text` is the last reply's."""

    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.text = text


@dataclass(frozen=True, kw_only=True)
class Unnamed:
    """One call; `key` is None where its name is to come from what it asks."""

    messages: list[Message]
    max_output_tokens: int
    arguments: dict[str, Any] = field(default_factory=dict)
    key: str | None = None


@dataclass(kw_only=True)
class _Begun:
    key: str
    place: int | None = None
    failed: CallFailedError | None = None

    def takes_repetition(self) -> bool:
        return self.failed is not None


class UnnamedCalls:
    """The calls of one client. Threads may share it.

    A call is named after its content. When it has failed, asking the same again raises the same
    error without another request, so that the retries of the asking code cost nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._begun: Occurrences[_Begun] = Occurrences()

    def __reduce__(self) -> tuple[type[UnnamedCalls], tuple[Path | None]]:
        # A copy, such as one for another process, keeps account of its own calls.
        return UnnamedCalls, (self._path,)

    def text(self, asked: Unnamed, schema: dict[str, Any] | None = None) -> ExchangeEnd:
        """Return the reply's text as it came.

        Raises:
            CallFailedError: no attempt gave a text.
            DoorError: there is no gateway.
        """
        door = self._door()

        def exchange(call: _Begun) -> tuple[ExchangeEnd, ExchangeEnd]:
            told = door.exchange(
                key=call.key, place=call.place, messages=asked.messages, schema=schema,
                arguments=asked.arguments,
                max_output_tokens=asked.max_output_tokens,
            )  # fmt: skip
            return told, told

        return self._named(asked, schema, exchange)

    def value(self, asked: Unnamed, schema: type[R]) -> tuple[R, ExchangeEnd]:
        """Return the reply as a `schema`, and how the exchange ended.

        Raises:
            CallFailedError: no attempt gave one.
            DoorError: there is no gateway.
        """
        door = self._door()

        def exchange(call: _Begun) -> tuple[DoorReply[R], ExchangeEnd]:
            judged = door.judged(
                key=call.key, place=call.place, messages=asked.messages, schema=schema,
                arguments=asked.arguments,
                max_output_tokens=asked.max_output_tokens,
            )  # fmt: skip
            return judged, judged.told

        judged = self._named(asked, schema.model_json_schema(), exchange)
        return cast(R, judged.value), judged.told

    def _named(
        self,
        asked: Unnamed,
        schema: dict[str, Any] | None,
        exchange: Callable[[_Begun], tuple[E, ExchangeEnd]],
    ) -> E:
        if asked.key is not None:
            call = _Begun(key=asked.key)
        else:
            call = self._begun.call(
                asked.messages, schema, lambda key, place: _Begun(key=key, place=place)
            )
        if call.failed is not None:
            raise CallFailedError(call.failed.failure, call.failed.text)
        ended, told = exchange(call)
        if told.failure is not None:
            call.failed = CallFailedError(told.failure, told.text)
            raise call.failed
        return ended

    def _door(self) -> Door:
        door = from_environment() if self._path is None else Door(self._path)
        if door is None:
            raise DoorError(
                f"There is no model gateway here: {VARIABLE} is not set. Run the step through "
                "worker_plan or the runner, or open a door with model_gateway.beside.door_for."
            )
        return door
