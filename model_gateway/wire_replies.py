"""Reads replies in the three wire formats without importing any SDK."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WrapValidator

from model_gateway import validation
from model_gateway.attempt import Message
from model_gateway.call import FailureKind
from model_gateway.provider import Answer, ProviderError
from model_gateway.visible import sound

_FINISH = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "content_filter": "refusal",
    "refusal": "refusal",
}


def sendable(messages: Sequence[Message]) -> list[Message]:
    """Return the messages with texts that can be sent."""
    return [{**message, "content": sound(message["content"])} for message in messages]


def _or_none(value: Any, read: Callable[[Any], Any]) -> Any:
    try:
        return read(value)
    except ValidationError:
        return None


# Usage that makes no sense is ignored; the reply counts either way.
_Count = Annotated[int | None, Field(ge=0, le=10**9), WrapValidator(_or_none)]
_Dollars = Annotated[float | None, Field(ge=0, le=1e6), WrapValidator(_or_none)]
_Text = Annotated[str, BeforeValidator(lambda v: sound(v) if isinstance(v, str) else v)]
_Name = Annotated[_Text | None, WrapValidator(_or_none)]
_Fault = Annotated[dict[str, Any] | None, WrapValidator(_or_none)]


class _WireModel(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, from_attributes=True)


class _ReasoningDetails(_WireModel):
    reasoning_tokens: _Count = None


class CompletionUsage(_WireModel):
    """The usage in a reply of the OpenAI format."""

    prompt_tokens: _Count = None
    completion_tokens: _Count = None
    completion_tokens_details: Annotated[_ReasoningDetails | None, WrapValidator(_or_none)] = None
    cost: _Dollars = None


class _Part(_WireModel):
    text: _Text | None = None


class _Function(_WireModel):
    arguments: _Text = ""


class _ToolCall(_WireModel):
    function: _Function | None = None


class _CompletionMessage(_WireModel):
    content: _Text | list[_Part] | None = None
    refusal: _Text | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(_WireModel):
    message: _CompletionMessage = Field(default_factory=_CompletionMessage)
    finish_reason: _Name = None
    error: _Fault = None


class Completion(_WireModel):
    """A reply of the OpenAI chat completions format."""

    choices: list[_Choice] = Field(default_factory=list)
    usage: Annotated[CompletionUsage | None, WrapValidator(_or_none)] = None
    model: _Name = None
    error: _Fault = None

    @property
    def fault(self) -> dict[str, Any] | None:
        """The error that a router reports in spite of a success status."""
        return self.error or (self.choices[0].error if self.choices else None)

    def answer(self) -> Answer:
        """Return the first choice; a refusal's words, or a tool call's arguments, as text.

        Raises:
            ProviderError: there is no choice.
        """
        if not self.choices:
            raise undecodable("choices is empty")
        choice = self.choices[0]
        content = choice.message.content
        text = content if isinstance(content, str) else _joined(p.text for p in content or [])
        finish = _normal(choice.finish_reason)
        if choice.message.refusal:
            text, finish = choice.message.refusal, "refusal"
        elif not text and choice.message.tool_calls:
            text = _joined(c.function and c.function.arguments for c in choice.message.tool_calls)
            finish = "stop" if finish == "tool_calls" else finish
        usage = self.usage or CompletionUsage()
        details = usage.completion_tokens_details
        return Answer(
            text=text,
            finish_reason=finish,
            input_tokens=usage.prompt_tokens,
            output_tokens=usage.completion_tokens,
            thinking_tokens=details.reasoning_tokens if details else None,
            cost=usage.cost,
            model_id=self.model,
        )


class _ThinkingDetails(_WireModel):
    thinking_tokens: _Count = None


class _MessageUsage(_WireModel):
    input_tokens: _Count = None
    cache_creation_input_tokens: _Count = None
    cache_read_input_tokens: _Count = None
    output_tokens: _Count = None
    output_tokens_details: Annotated[_ThinkingDetails | None, WrapValidator(_or_none)] = None

    @property
    def all_input_tokens(self) -> int | None:
        """The input tokens, with the cached ones, which this format counts separately."""
        if self.input_tokens is None:
            return None
        cached = (self.cache_creation_input_tokens or 0) + (self.cache_read_input_tokens or 0)
        return self.input_tokens + cached


class _Block(_WireModel):
    type: str
    text: _Text | None = None
    input: Any = None


class AnthropicMessage(_WireModel):
    """A reply of the Anthropic messages format."""

    content: list[_Block]
    stop_reason: _Name = None
    usage: Annotated[_MessageUsage | None, WrapValidator(_or_none)] = None
    model: _Name = None

    def answer(self) -> Answer:
        """Return the arguments of the tool call, if one was forced, else the text blocks."""
        text = _joined(b.text for b in self.content if b.type == "text")
        finish = _normal(self.stop_reason)
        inputs = [b.input for b in self.content if b.type == "tool_use"]
        if inputs:
            text = _json_of(inputs[0])
            finish = "stop" if finish == "tool_use" else finish
        usage = self.usage or _MessageUsage()
        details = usage.output_tokens_details
        return Answer(
            text=text,
            finish_reason=finish,
            input_tokens=usage.all_input_tokens,
            output_tokens=usage.output_tokens,
            thinking_tokens=details.thinking_tokens if details else None,
            model_id=self.model,
        )


class _ChatMessage(_WireModel):
    content: _Text | None = None


class OllamaChat(_WireModel):
    """A reply of the Ollama chat format, which counts thinking as output, not separately."""

    message: _ChatMessage
    done_reason: _Name = None
    prompt_eval_count: _Count = None
    eval_count: _Count = None
    model: _Name = None

    def answer(self) -> Answer:
        """Return the message's text."""
        return Answer(
            text=self.message.content or "",
            finish_reason=_normal(self.done_reason),
            input_tokens=self.prompt_eval_count,
            output_tokens=self.eval_count,
            model_id=self.model,
        )


Shape = Completion | AnthropicMessage | OllamaChat
S = TypeVar("S", bound=BaseModel)

_SHAPES: dict[str, type[Shape]] = {
    "openai": Completion,
    "anthropic": AnthropicMessage,
    "ollama": OllamaChat,
}


def read(body: bytes, shape: type[S]) -> S:
    """Read the body of a reply.

    Raises:
        ProviderError: it is not JSON, or not of this format.
    """
    try:
        return shape.model_validate(json.loads(body))
    except ValidationError as error:
        raise undecodable(validation.problems(error, "its body")[0]) from error
    except (ValueError, RecursionError) as error:
        raise undecodable("it is not JSON, or not all of it") from error


def plain_body(wire_format: str, body: bytes) -> bytes:
    """Return a reply in the same format that holds the text, the usage and nothing else.

    Raises:
        KeyError: there is no such format.
        ProviderError: it is not a reply in this format.
    """
    answer = read(body, _SHAPES[wire_format]).answer()
    usage: dict[str, Any]
    reply: dict[str, Any] = {"model": answer.model_id}
    if wire_format == "openai":
        usage = {"prompt_tokens": answer.input_tokens, "completion_tokens": answer.output_tokens}
        usage["completion_tokens_details"] = {"reasoning_tokens": answer.thinking_tokens}
        choice = {"message": {"content": answer.text}, "finish_reason": answer.finish_reason}
        reply |= {"choices": [choice], "usage": {**usage, "cost": answer.cost}}
    elif wire_format == "anthropic":
        usage = {"input_tokens": answer.input_tokens, "output_tokens": answer.output_tokens}
        usage["output_tokens_details"] = {"thinking_tokens": answer.thinking_tokens}
        reply |= {"content": [{"type": "text", "text": answer.text}], "usage": usage}
        reply["stop_reason"] = answer.finish_reason
    else:
        reply |= {"message": {"role": "assistant", "content": answer.text}}
        reply |= {"prompt_eval_count": answer.input_tokens, "eval_count": answer.output_tokens}
        reply["done_reason"] = answer.finish_reason
    return json.dumps(reply).encode()


def undecodable(why: str) -> ProviderError:
    """Return the failure of a complete reply that cannot be read."""
    message = f"the server's reply could not be read: {why}"
    return ProviderError(FailureKind.connection, message, billed=True)


def _json_of(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError as error:
        raise undecodable("its JSON is nested too deeply") from error


def _normal(finish: str | None) -> str | None:
    return None if finish is None else _FINISH.get(finish, finish)


def _joined(parts: Any) -> str:
    return "".join(part for part in parts if part)
