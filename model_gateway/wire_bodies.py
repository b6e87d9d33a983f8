"""Reads the body of a reply, whole or as a stream of events, and writes it with its text alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from model_gateway import event_streams, validation
from model_gateway.event_streams import Event
from model_gateway.provider import Answer
from model_gateway.replies import Mend
from model_gateway.wire_replies import (
    AnthropicMessage,
    Completion,
    OllamaChat,
    Shape,
    undecodable,
)

S = TypeVar("S", bound=BaseModel)

_SHAPES: dict[str, type[Shape]] = {
    "openai": Completion,
    "anthropic": AnthropicMessage,
    "ollama": OllamaChat,
}
_JOINED: dict[type[Any], Callable[[Iterable[Event]], Event]] = {
    Completion: event_streams.completion,
    AnthropicMessage: event_streams.message,
    OllamaChat: event_streams.chat,
}
# The key under which a reply that was read in another process says what was mended in it.
_MENDED = "plumbline_mended"


def read_answer(body: bytes, shape: type[Shape]) -> Answer:
    """Return the answer in the body of a reply.

    Raises:
        ProviderError: it is not JSON, or not of this format.
    """
    value = json_value(body, shape)
    return answered(value, read_value(value, shape))


def answered(value: Any, reply: Shape) -> Answer:
    """Return the answer of a reply that was read from `value`, with what was mended in that."""
    answer = reply.answer()
    marks = value.get(_MENDED) if isinstance(value, dict) else None
    mends = [mend for mend in Mend if isinstance(marks, list) and mend in marks]
    return replace(answer, mended=[*answer.mended, *mends]) if mends else answer


def json_value(body: bytes, shape: type[Any]) -> Any:
    """Return the JSON of a body; the events of a stream are joined to one reply.

    Raises:
        ProviderError: it is neither.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        stream = event_streams.events(body)
        if not stream:
            raise undecodable("it is not JSON, or not all of it") from error
    try:
        return {**_JOINED[shape](stream), _MENDED: [Mend.event_stream]}
    except event_streams.BrokenStreamError as error:
        raise undecodable(str(error)) from error


def read_value(value: Any, shape: type[S]) -> S:
    """Return a JSON value as a reply of this format.

    Raises:
        ProviderError: it is not one.
    """
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        raise undecodable(validation.problems(error, "its body")[0]) from error


def plain_body(wire_format: str, body: bytes) -> bytes:
    """Return a reply in the same format that holds the text, the usage and nothing else.

    Raises:
        KeyError: there is no such format.
        ProviderError: it is not a reply in this format.
    """
    answer = read_answer(body, _SHAPES[wire_format])
    usage: dict[str, Any]
    reply: dict[str, Any] = {"model": answer.model_id, _MENDED: answer.mended}
    message = {"role": "assistant", "content": answer.text}
    if answer.reasoning_field is not None:
        message[answer.reasoning_field] = answer.reasoning or ""
    beside = (answer.cached_input_tokens or 0) + (answer.cache_write_tokens or 0)
    if wire_format == "openai":
        usage = {"prompt_tokens": answer.input_tokens, "completion_tokens": answer.output_tokens}
        usage["completion_tokens_details"] = {"reasoning_tokens": answer.thinking_tokens}
        usage["prompt_tokens_details"] = {
            "cached_tokens": answer.cached_input_tokens,
            "cache_write_tokens": answer.cache_write_tokens,
        }
        choice = {"message": message, "finish_reason": answer.finish_reason}
        reply |= {"choices": [choice], "usage": {**usage, "cost": answer.cost}}
    elif wire_format == "anthropic":
        read = None if answer.input_tokens is None else answer.input_tokens - beside
        usage = {"input_tokens": read, "output_tokens": answer.output_tokens, "cost": answer.cost}
        usage["output_tokens_details"] = {"thinking_tokens": answer.thinking_tokens}
        usage["cache_read_input_tokens"] = answer.cached_input_tokens
        usage["cache_creation_input_tokens"] = answer.cache_write_tokens
        blocks = [{"type": "text", "text": answer.text}]
        if answer.reasoning:
            blocks.append({"type": "thinking", "thinking": answer.reasoning})
        reply |= {"content": blocks, "usage": usage, "stop_reason": answer.finish_reason}
    else:
        reply |= {"message": message, "done_reason": answer.finish_reason}
        reply |= {"prompt_eval_count": answer.input_tokens, "eval_count": answer.output_tokens}
    return json.dumps(reply).encode()
