"""A wire format of the HTTP door: reads requests and writes replies."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from model_gateway import validation
from model_gateway.attempt import Message
from model_gateway.door import Question

_MOST_ERRORS = 4


class RefusedRequestError(Exception):
    """The door refuses this request; the message says why, the status is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, kw_only=True)
class WireRequest:
    """A request as it was read: the question, and the form of the reply.

    `model` is the name the client used; it is only echoed, because the cell's own model answers.
    `tool` names the tool whose arguments the reply is returned as.
    """

    model: str
    messages: list[Message]
    schema: dict[str, Any] | None = None
    schema_name: str = "Reply"
    max_output_tokens: int | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    tool: str | None = None
    stream: bool = False
    stream_usage: bool = False

    @classmethod
    def of(
        cls,
        *,
        tool: Tool | None,
        schema: dict[str, Any] | None,
        schema_name: str = "Reply",
        arguments: Mapping[str, Any],
        stop: str | list[str] | None,
        **others: Any,
    ) -> Self:
        """Return the request: a required `tool` is the schema of the reply, None is left out."""
        stops = [stop] if isinstance(stop, str) and stop else stop or None
        return cls(
            schema=tool.arguments_schema if tool else schema,
            schema_name=tool.name if tool else schema_name,
            arguments={k: v for k, v in {**arguments, "stop": stops}.items() if v is not None},
            tool=tool.name if tool else None,
            **others,
        )

    def question(self, key: str, *, call_index: int) -> Question:
        """Return the question to the model, under the name `key`."""
        bound = {} if self.max_output_tokens is None else {
            "max_output_tokens": self.max_output_tokens
        }  # fmt: skip
        return Question(
            key=key,
            call_index=call_index,
            messages=self.messages,
            schema=self.schema,
            schema_name=self.schema_name,
            arguments=self.arguments,
            **bound,
        )


@dataclass(frozen=True, kw_only=True)
class ReplyContent:
    """A reply to write. `finish` is stop, length or refusal; `seconds` is wall time."""

    id: str
    text: str
    finish: str
    input_tokens: int
    output_tokens: int
    thinking_tokens: int | None
    seconds: float
    created: float


def tool_arguments(request: WireRequest, content: ReplyContent) -> dict[str, Any] | None:
    """Return the arguments of the tool call that the reply is, or None where it is text."""
    if request.tool is None or content.finish == "refusal":
        return None
    try:
        value = json.loads(content.text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


class WireFormat(Protocol):
    """One wire format. `stream_type` is the content type of a streamed reply."""

    stream_type: str

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Read a request.

        Raises:
            RefusedRequestError: it is malformed, or the door does not support it.
        """
        ...

    def reply(self, request: WireRequest, content: ReplyContent) -> dict[str, Any]:
        """Return the whole reply as the server of this format would send it."""
        ...

    def stream(self, request: WireRequest, content: ReplyContent) -> Iterable[str]:
        """Yield the same reply in the pieces of the format's streaming protocol."""
        ...

    def error(self, status: int, message: str) -> dict[str, Any]:
        """Return the body of an error."""
        ...


class Body(BaseModel):
    """A part of a request; unknown fields are ignored, as servers do."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Tool(Body):
    """A tool the model may call, which each format describes under other names."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None

    @property
    def arguments_schema(self) -> dict[str, Any]:
        """The schema of the arguments; the tool's description is text the model should read."""
        return described(self.parameters or {"type": "object"}, self.description)


B = TypeVar("B", bound=Body)


def parsed(kind: type[B], body: Mapping[str, Any]) -> B:
    """Return `body` as a `kind`.

    Raises:
        RefusedRequestError: it does not fit; the message says where.
    """
    try:
        return kind.model_validate(body)
    except ValidationError as error:
        problems = validation.summary(error, "body", most=_MOST_ERRORS)
        raise RefusedRequestError(400, f"The request is malformed: {problems}") from error


def described(schema: dict[str, Any], description: str | None) -> dict[str, Any]:
    """Return `schema` with `description`, unless it has one of its own."""
    return {"description": description, **schema} if description else schema


def joined(texts: Iterable[str]) -> str:
    """Return the text parts of one message as one text."""
    return "\n".join(texts)


def not_text(kind: str) -> RefusedRequestError:
    """Return the refusal of a part of a message that is not text."""
    return RefusedRequestError(
        400, f"The gateway passes on text only; a message holds a part of type {kind!r}."
    )


def unknown_tool(name: str | None) -> RefusedRequestError:
    """Return the refusal of a request that requires a tool it does not describe."""
    return RefusedRequestError(400, f"tool_choice names {name!r}, which is not among the tools.")


def free_tools(count: int) -> RefusedRequestError:
    """Return the refusal of a request in which the model may choose which tool it calls."""
    return RefusedRequestError(
        400,
        f"The gateway does not support free tool choice ({count} tools): make one tool required, "
        "so that its arguments are the structured reply, or ask for a JSON schema instead.",
    )
