"""What a wire format is to the HTTP door: a way to read questions and to write replies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from model_gateway.attempt import Message
from model_gateway.attempts import Question

_MOST_ERRORS = 4


class RefusedRequestError(Exception):
    """The door does not take this request; the message says why, the status is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as it was read: what is asked, and how the answer is to be given back.

    `model` is the name the client used; it is only echoed, for the cell's own model answers.
    `tool` names the one tool whose arguments the reply is to be given back as.
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

    def question(self, key: str) -> Question:
        """Return what is put to the model, under the name `key`."""
        bound = {} if self.max_output_tokens is None else {
            "max_output_tokens": self.max_output_tokens
        }  # fmt: skip
        return Question(
            key=key,
            messages=self.messages,
            schema=self.schema,
            schema_name=self.schema_name,
            arguments=self.arguments,
            **bound,
        )


@dataclass(frozen=True, kw_only=True)
class Given:
    """A reply as it is given back. `finish` is stop, length or refusal; `seconds` is wall time."""

    id: str
    text: str
    finish: str
    input_tokens: int
    output_tokens: int
    thinking_tokens: int | None
    seconds: float
    created: float


class Shape(Protocol):
    """One wire format. `stream_type` is the content type of a streamed reply."""

    stream_type: str

    def read(self, body: Mapping[str, Any]) -> Asked:
        """Return what `body` asks.

        Raises:
            RefusedRequestError: it is malformed, or asks for what the door cannot do.
        """
        ...

    def reply(self, asked: Asked, given: Given) -> dict[str, Any]:
        """Return the whole reply as the server of this format would send it."""
        ...

    def stream(self, asked: Asked, given: Given) -> Iterable[str]:
        """Yield the same reply in the pieces of the format's streaming protocol."""
        ...

    def error(self, status: int, message: str) -> dict[str, Any]:
        """Return the body of an error."""
        ...


class Body(BaseModel):
    """A part of a request; what the door does not know is passed over, as servers do."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Tool(Body):
    """A tool the model may call, as all formats describe it under different names."""

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
        errors = error.errors(include_url=False, include_input=False, include_context=False)
        told = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in errors[:_MOST_ERRORS]
        )
        raise RefusedRequestError(400, f"The request is malformed: {told}") from error


def described(schema: dict[str, Any], description: str | None) -> dict[str, Any]:
    """Return `schema` with `description`, unless it has one of its own."""
    return {"description": description, **schema} if description else schema


def joined(texts: Iterable[str]) -> str:
    """Return the text parts of one message as one text."""
    return "\n".join(texts)


def not_text(kind: str) -> RefusedRequestError:
    """Return the refusal of a part of a message that is no text."""
    return RefusedRequestError(
        400, f"The gateway passes on text only; a message holds a part of type {kind!r}."
    )


def free_tools(count: int) -> RefusedRequestError:
    """Return the refusal of a request in which the model may choose what it calls."""
    return RefusedRequestError(
        400,
        f"The gateway does not support free tool choice ({count} tools): make one tool required, "
        "so that its arguments are the structured reply, or ask for a JSON schema instead.",
    )
