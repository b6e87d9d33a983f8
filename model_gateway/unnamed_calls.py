"""Calls through a door for code that does not name its calls and expects failures to be raised."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar, cast

from model_gateway.attempt import Message
from model_gateway.call import Failure, R
from model_gateway.door import VARIABLE, Door, ExchangeEnd, Question, from_environment, schema_of
from model_gateway.errors import DoorError, GatewayError
from model_gateway.occurrences import Occurrences

E = TypeVar("E", bound=ExchangeEnd)


class CallFailedError(GatewayError):
    """The call used up its attempts; `failure` says how it ended, `text` is the last reply's."""

    def __init__(self, failure: Failure, text: str) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.text = text


@dataclass(frozen=True, kw_only=True)
class UnnamedCall:
    """One call; `key` is None where its name is a digest of its content."""

    messages: list[Message]
    max_output_tokens: int
    arguments: dict[str, Any] = field(default_factory=dict)
    key: str | None = None


@dataclass(kw_only=True)
class _StartedCall:
    key: str
    call_index: int | None = None
    error: CallFailedError | None = None

    def answers_repeats(self) -> bool:
        return self.error is not None


class UnnamedCalls:
    """The calls of one client. Threads may share it.

    A call is named after its content. When it has failed, asking the same again raises the same
    error without another request, so that the retries of the asking code cost nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._started: Occurrences[_StartedCall] = Occurrences()

    def __reduce__(self) -> tuple[type[UnnamedCalls], tuple[Path | None]]:
        # A copy, such as one for another process, tracks its own calls.
        return UnnamedCalls, (self._path,)

    def text(self, call: UnnamedCall, schema: dict[str, Any] | None = None) -> ExchangeEnd:
        """Return the reply's text as it came.

        Raises:
            CallFailedError: no attempt gave a text.
            DoorError: there is no gateway.
        """
        return self._run(call, schema, "Reply", self._door().exchange)

    def value(self, call: UnnamedCall, schema: type[R]) -> tuple[R, ExchangeEnd]:
        """Return the reply as a `schema`, and how the exchange ended.

        Raises:
            CallFailedError: no attempt gave one.
            DoorError: there is no gateway.
        """
        door = self._door()
        reply = self._run(
            call, schema_of(schema), schema.__name__, lambda q: door.exchange_parsed(q, schema)
        )
        return cast(R, reply.value), reply

    def _run(
        self,
        call: UnnamedCall,
        schema: dict[str, Any] | None,
        schema_name: str,
        exchange: Callable[[Question], E],
    ) -> E:
        if call.key is not None:
            started = _StartedCall(key=call.key)
        else:
            started = self._started.call(
                call.messages, schema, lambda key, index: _StartedCall(key=key, call_index=index)
            )
        if started.error is not None:
            raise CallFailedError(started.error.failure, started.error.text)
        end = exchange(
            Question(
                key=started.key, call_index=started.call_index, messages=call.messages,
                schema=schema, schema_name=schema_name, arguments=call.arguments,
                max_output_tokens=call.max_output_tokens,
            )
        )  # fmt: skip
        if end.failure is not None:
            started.error = CallFailedError(end.failure, end.text)
            raise started.error
        return end

    def _door(self) -> Door:
        door = from_environment() if self._path is None else Door(self._path)
        if door is None:
            raise DoorError(
                f"There is no model gateway here: {VARIABLE} is not set. Run the step through "
                "worker_plan or the runner, or open a door with model_gateway.beside.door_for."
            )
        return door
