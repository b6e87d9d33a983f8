"""OpenAI's chat completions, which most servers and libraries speak."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from model_gateway.attempt import Message
from model_gateway.wire_shapes.shape import (
    Asked,
    Body,
    Given,
    RefusedRequestError,
    Tool,
    described,
    free_tools,
    joined,
    not_text,
    parsed,
)

_FINISH = {"length": "length", "refusal": "content_filter"}
_ERRORS = {
    400: "invalid_request_error", 402: "insufficient_quota", 404: "not_found_error",
    429: "rate_limit_error",
}  # fmt: skip
_ARGUMENTS = ("temperature", "top_p", "seed", "reasoning_effort")


class _Part(Body):
    type: str
    text: str | None = None
    refusal: str | None = None


class _Function(Body):
    name: str = ""
    arguments: str = ""


class _ToolCall(Body):
    function: _Function


class _Said(Body):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[_Part] | None = None
    tool_calls: list[_ToolCall] | None = None


class _Schema(Body):
    name: str = "Reply"
    description: str | None = None
    schema_: dict[str, Any] | None = Field(default=None, alias="schema")


class _Format(Body):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class _Offered(Body):
    type: str = "function"
    function: Tool | None = None


class _Choice(Body):
    type: str = "function"
    function: _Function | None = None


class _StreamOptions(Body):
    include_usage: bool = False


class _Request(Body):
    model: str = ""
    messages: list[_Said] = Field(min_length=1)
    response_format: _Format | None = None
    tools: list[_Offered] | None = None
    tool_choice: str | _Choice | None = None
    max_tokens: int | None = Field(default=None, gt=0)
    max_completion_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    stop: str | list[str] | None = None
    n: int | None = None
    stream: bool | None = None
    stream_options: _StreamOptions | None = None


class OpenAIChat:
    """Reads and writes `POST /chat/completions`."""

    stream_type = "text/event-stream"

    def read(self, body: Mapping[str, Any]) -> Asked:
        """Return what `body` asks; a required single tool becomes the schema of the reply."""
        request = parsed(_Request, body)
        if request.n not in (None, 1):
            raise RefusedRequestError(400, "The gateway gives one choice for each request: n=1.")
        tool = _required(request)
        schema, name = _wanted(request.response_format)
        arguments = {k: v for k in _ARGUMENTS if (v := getattr(request, k)) is not None}
        if request.stop:
            stop = request.stop
            arguments["stop"] = [stop] if isinstance(stop, str) else stop
        return Asked(
            model=request.model,
            messages=[_message(said) for said in request.messages],
            schema=schema if tool is None else tool.arguments_schema,
            schema_name=name if tool is None else tool.name,
            max_output_tokens=request.max_completion_tokens or request.max_tokens,
            arguments=arguments,
            tool=tool.name if tool else None,
            stream=bool(request.stream),
            stream_usage=bool(request.stream_options and request.stream_options.include_usage),
        )

    def reply(self, asked: Asked, given: Given) -> dict[str, Any]:
        """Return a `chat.completion`."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", **_content(asked, given)},
            "logprobs": None,
            "finish_reason": _finish(asked, given),
        }
        head = _head(asked, given, "chat.completion")
        return {**head, "choices": [choice], "usage": _usage(given)}

    def stream(self, asked: Asked, given: Given) -> Iterator[str]:
        """Yield `chat.completion.chunk` events: the whole content, the end, the usage."""
        head = _head(asked, given, "chat.completion.chunk")
        delta = _content(asked, given)
        calls = delta.get("tool_calls", [])
        for index, call in enumerate(calls):
            call["index"] = index
        blank = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
        first = {**blank, "delta": {"role": "assistant", **delta}}
        yield _event({**head, "choices": [first]})
        yield _event({**head, "choices": [{**blank, "finish_reason": _finish(asked, given)}]})
        if asked.stream_usage:
            yield _event({**head, "choices": [], "usage": _usage(given)})
        yield "data: [DONE]\n\n"

    def error(self, status: int, message: str) -> dict[str, Any]:
        """Return an error object."""
        kind = _ERRORS.get(status, "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def listing(model_id: str) -> dict[str, Any]:
    """Return what `GET /models` says: the one model that answers here."""
    row = {"id": model_id, "object": "model", "created": 0, "owned_by": "model-gateway"}
    return {"object": "list", "data": [row]}


def _required(request: _Request) -> Tool | None:
    """Return the one tool that the model has no choice but to call."""
    offered = request.tools or []
    choice = request.tool_choice
    if not offered or choice == "none":
        return None
    tools = {o.function.name: o.function for o in offered if o.function is not None}
    if isinstance(choice, _Choice) and choice.function is not None:
        named = tools.get(choice.function.name)
        if named is None:
            raise RefusedRequestError(
                400, f"tool_choice names {choice.function.name!r}, which is not among the tools."
            )
        return named
    if choice == "required" and len(offered) == len(tools) == 1:
        return next(iter(tools.values()))
    raise free_tools(len(offered))


def _wanted(format_: _Format | None) -> tuple[dict[str, Any] | None, str]:
    if format_ is None or format_.type == "text":
        return None, "Reply"
    if format_.type == "json_object":
        return {"type": "object"}, "Reply"
    wanted = format_.json_schema
    if wanted is None or wanted.schema_ is None:
        raise RefusedRequestError(400, "response_format of type json_schema holds no schema.")
    return described(wanted.schema_, wanted.description), wanted.name


def _message(said: _Said) -> Message:
    content = said.content
    if isinstance(content, list):
        content = joined(_text(part) for part in content)
    if not content and said.tool_calls:
        content = joined(call.function.arguments for call in said.tool_calls)
    role = {"developer": "system", "tool": "user", "function": "user"}.get(said.role, said.role)
    return {"role": role, "content": content or ""}


def _text(part: _Part) -> str:
    if part.type == "text" and part.text is not None:
        return part.text
    if part.type == "refusal" and part.refusal is not None:
        return part.refusal
    raise not_text(part.type)


def _head(asked: Asked, given: Given, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{given.id}",
        "object": kind,
        "created": int(given.created),
        "model": asked.model,
    }


def _content(asked: Asked, given: Given) -> dict[str, Any]:
    if given.finish == "refusal":
        return {"content": None, "refusal": given.text or "The model declined to answer."}
    if asked.tool is None:
        return {"content": given.text, "refusal": None}
    call = {
        "id": f"call_{given.id}",
        "type": "function",
        "function": {"name": asked.tool, "arguments": given.text},
    }
    return {"content": None, "refusal": None, "tool_calls": [call]}


def _finish(asked: Asked, given: Given) -> str:
    if given.finish == "refusal" and given.text:
        return "stop"  # A refusal in words ends like an answer; only a filtered one has no end.
    if asked.tool is not None and given.finish == "stop":
        return "tool_calls"
    return _FINISH.get(given.finish, "stop")


def _usage(given: Given) -> dict[str, Any]:
    return {
        "prompt_tokens": given.input_tokens,
        "completion_tokens": given.output_tokens,
        "total_tokens": given.input_tokens + given.output_tokens,
        "completion_tokens_details": {"reasoning_tokens": given.thinking_tokens or 0},
    }


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
