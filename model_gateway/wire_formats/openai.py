"""OpenAI's chat completions, which most servers and libraries speak."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from model_gateway.attempt import Message
from model_gateway.wire_formats.wire_format import (
    Body,
    RefusedRequestError,
    ReplyContent,
    Tool,
    WireRequest,
    described,
    free_tools,
    joined,
    not_text,
    parsed,
    unknown_tool,
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


class _RequestMessage(Body):
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


class _OfferedTool(Body):
    type: str = "function"
    function: Tool | None = None


class _ToolChoice(Body):
    type: str = "function"
    function: _Function | None = None


class _StreamOptions(Body):
    include_usage: bool = False


class _Request(Body):
    model: str = ""
    messages: list[_RequestMessage] = Field(min_length=1)
    response_format: _Format | None = None
    tools: list[_OfferedTool] | None = None
    tool_choice: str | _ToolChoice | None = None
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

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Read a request; a required single tool becomes the schema of the reply."""
        request = parsed(_Request, body)
        if request.n not in (None, 1):
            raise RefusedRequestError(400, "The gateway gives one choice for each request: n=1.")
        tool = _required_tool(request)
        schema, name = _schema_of(request.response_format)
        return WireRequest.of(
            model=request.model,
            messages=[_message(message) for message in request.messages],
            tool=tool,
            schema=schema,
            schema_name=name,
            max_output_tokens=request.max_completion_tokens or request.max_tokens,
            arguments={name: getattr(request, name) for name in _ARGUMENTS},
            stop=request.stop,
            stream=bool(request.stream),
            stream_usage=bool(request.stream_options and request.stream_options.include_usage),
        )

    def reply(self, request: WireRequest, content: ReplyContent) -> dict[str, Any]:
        """Return a `chat.completion`."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", **_content(request, content)},
            "logprobs": None,
            "finish_reason": _finish(request, content),
        }
        head = _head(request, content, "chat.completion")
        return {**head, "choices": [choice], "usage": _usage(content)}

    def stream(self, request: WireRequest, content: ReplyContent) -> Iterator[str]:
        """Yield `chat.completion.chunk` events: the whole content, the end, the usage."""
        head = _head(request, content, "chat.completion.chunk")
        delta = _content(request, content)
        calls = delta.get("tool_calls", [])
        for index, call in enumerate(calls):
            call["index"] = index
        blank = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}
        first = {**blank, "delta": {"role": "assistant", **delta}}
        yield _event({**head, "choices": [first]})
        yield _event({**head, "choices": [{**blank, "finish_reason": _finish(request, content)}]})
        if request.stream_usage:
            yield _event({**head, "choices": [], "usage": _usage(content)})
        yield "data: [DONE]\n\n"

    def error(self, status: int, message: str) -> dict[str, Any]:
        """Return an error object."""
        kind = _ERRORS.get(status, "server_error")
        return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def listing(model_id: str) -> dict[str, Any]:
    """Return what `GET /models` says: the one model that answers here."""
    row = {"id": model_id, "object": "model", "created": 0, "owned_by": "model-gateway"}
    return {"object": "list", "data": [row]}


def _required_tool(request: _Request) -> Tool | None:
    """Return the one tool that the model has to call."""
    offered = request.tools or []
    choice = request.tool_choice
    if not offered or choice == "none":
        return None
    tools = {o.function.name: o.function for o in offered if o.function is not None}
    if isinstance(choice, _ToolChoice) and choice.function is not None:
        tool = tools.get(choice.function.name)
        if tool is None:
            raise unknown_tool(choice.function.name)
        return tool
    if choice == "required" and len(offered) == len(tools) == 1:
        return next(iter(tools.values()))
    raise free_tools(len(offered))


def _schema_of(reply_format: _Format | None) -> tuple[dict[str, Any] | None, str]:
    if reply_format is None or reply_format.type == "text":
        return None, "Reply"
    if reply_format.type == "json_object":
        return {"type": "object"}, "Reply"
    json_schema = reply_format.json_schema
    if json_schema is None or json_schema.schema_ is None:
        raise RefusedRequestError(400, "response_format of type json_schema holds no schema.")
    return described(json_schema.schema_, json_schema.description), json_schema.name


def _message(message: _RequestMessage) -> Message:
    content = message.content
    if isinstance(content, list):
        content = joined(_text(part) for part in content)
    if not content and message.tool_calls:
        content = joined(call.function.arguments for call in message.tool_calls)
    role = {"developer": "system", "tool": "user", "function": "user"}.get(
        message.role, message.role
    )
    return {"role": role, "content": content or ""}


def _text(part: _Part) -> str:
    if part.type == "text" and part.text is not None:
        return part.text
    if part.type == "refusal" and part.refusal is not None:
        return part.refusal
    raise not_text(part.type)


def _head(request: WireRequest, content: ReplyContent, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{content.id}",
        "object": kind,
        "created": int(content.created),
        "model": request.model,
    }


def _content(request: WireRequest, content: ReplyContent) -> dict[str, Any]:
    if content.finish == "refusal":
        return {"content": None, "refusal": content.text or "The model declined to answer."}
    if request.tool is None:
        return {"content": content.text, "refusal": None}
    call = {
        "id": f"call_{content.id}",
        "type": "function",
        "function": {"name": request.tool, "arguments": content.text},
    }
    return {"content": None, "refusal": None, "tool_calls": [call]}


def _finish(request: WireRequest, content: ReplyContent) -> str:
    if content.finish == "refusal" and content.text:
        return "stop"  # A refusal in words ends like an answer; only a filtered one does not.
    if request.tool is not None and content.finish == "stop":
        return "tool_calls"
    return _FINISH.get(content.finish, "stop")


def _usage(content: ReplyContent) -> dict[str, Any]:
    return {
        "prompt_tokens": content.input_tokens,
        "completion_tokens": content.output_tokens,
        "total_tokens": content.input_tokens + content.output_tokens,
        "completion_tokens_details": {"reasoning_tokens": content.thinking_tokens or 0},
    }


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"
