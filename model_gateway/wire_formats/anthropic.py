"""Anthropic's messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from model_gateway.attempt import Message
from model_gateway.wire_formats.wire_format import (
    Body,
    ReplyContent,
    Tool,
    WireRequest,
    free_tools,
    joined,
    not_text,
    parsed,
    tool_arguments,
    unknown_tool,
)

_FINISH = {"length": "max_tokens", "refusal": "refusal"}
_ERRORS = {
    400: "invalid_request_error", 402: "billing_error", 404: "not_found_error",
    413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error",
}  # fmt: skip


class _Block(Body):
    type: str
    text: str | None = None
    input: dict[str, Any] | None = None
    content: str | list[_Block] | None = None


class _RequestMessage(Body):
    role: Literal["user", "assistant", "system"]
    content: str | list[_Block]


class _OfferedTool(Body):
    name: str
    description: str | None = None
    input_schema: dict[str, Any] | None = None


class _ToolChoice(Body):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None


class _Format(Body):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")


class _OutputConfig(Body):
    format: _Format | None = None
    effort: str | None = None


class _Request(Body):
    model: str = ""
    messages: list[_RequestMessage] = Field(min_length=1)
    system: str | list[_Block] | None = None
    max_tokens: int = Field(gt=0)
    output_config: _OutputConfig | None = None
    output_format: _Format | None = None
    tools: list[_OfferedTool] | None = None
    tool_choice: _ToolChoice | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None


class AnthropicMessages:
    """Reads and writes `POST /v1/messages`."""

    stream_type = "text/event-stream"

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Read a request; a required single tool becomes the schema of the reply."""
        request = parsed(_Request, body)
        config = request.output_config or _OutputConfig()
        tool = _required_tool(request)
        reply_format = config.format or request.output_format
        system = [] if not request.system else [_message("system", request.system)]
        return WireRequest.of(
            model=request.model,
            messages=[*system, *(_message(m.role, m.content) for m in request.messages)],
            tool=tool,
            schema=reply_format.schema_ if reply_format else None,
            max_output_tokens=request.max_tokens,
            arguments={
                "temperature": request.temperature,
                "top_p": request.top_p,
                "reasoning_effort": config.effort,
            },
            stop=request.stop_sequences,
            stream=bool(request.stream),
        )

    def reply(self, request: WireRequest, content: ReplyContent) -> dict[str, Any]:
        """Return a `message`."""
        block = _block(request, content)
        return {
            **_head(request, content),
            "content": [] if block is None else [block],
            "stop_reason": _stop_reason(block, content),
            "usage": {"input_tokens": content.input_tokens, "output_tokens": content.output_tokens},
        }

    def stream(self, request: WireRequest, content: ReplyContent) -> Iterator[str]:
        """Yield the events of one message whose only block comes in one delta."""
        block = _block(request, content)
        begun = {"input_tokens": content.input_tokens, "output_tokens": 0}
        head = {**_head(request, content), "content": [], "stop_reason": None, "usage": begun}
        yield _event("message_start", message=head)
        if block is not None:
            is_tool = block["type"] == "tool_use"
            empty = {**block, "input": {}} if is_tool else {**block, "text": ""}
            delta = (
                {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
                if is_tool
                else {"type": "text_delta", "text": block["text"]}
            )
            yield _event("content_block_start", index=0, content_block=empty)
            yield _event("content_block_delta", index=0, delta=delta)
            yield _event("content_block_stop", index=0)
        yield _event(
            "message_delta",
            delta={"stop_reason": _stop_reason(block, content), "stop_sequence": None},
            usage={"output_tokens": content.output_tokens},
        )
        yield _event("message_stop")

    def error(self, status: int, message: str) -> dict[str, Any]:
        """Return an error object."""
        kind = _ERRORS.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}


def _required_tool(request: _Request) -> Tool | None:
    """Return the one tool that the model has to call."""
    tools = request.tools or []
    choice = request.tool_choice or _ToolChoice(type="auto")
    if not tools or choice.type == "none":
        return None
    named = [t for t in tools if t.name == choice.name] if choice.type == "tool" else tools
    if choice.type == "tool" and not named:
        raise unknown_tool(choice.name)
    if choice.type == "auto" or len(named) > 1 or named[0].input_schema is None:
        raise free_tools(len(tools))
    [tool] = named
    return Tool(name=tool.name, description=tool.description, parameters=tool.input_schema)


def _message(role: str, content: str | list[_Block]) -> Message:
    text = content if isinstance(content, str) else joined(_text(block) for block in content)
    return {"role": role, "content": text}


def _text(block: _Block) -> str:
    if block.type == "text" and block.text is not None:
        return block.text
    if block.type == "tool_use":
        return json.dumps(block.input, ensure_ascii=False)
    if block.type == "tool_result":
        inner = block.content or ""
        return inner if isinstance(inner, str) else joined(_text(part) for part in inner)
    if block.type in {"thinking", "redacted_thinking"}:
        return ""
    raise not_text(block.type)


def _head(request: WireRequest, content: ReplyContent) -> dict[str, Any]:
    return {
        "id": f"msg_{content.id}",
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "stop_sequence": None,
    }


def _block(request: WireRequest, content: ReplyContent) -> dict[str, Any] | None:
    if not content.text:
        return None
    arguments = tool_arguments(request, content)
    if arguments is None:
        return {"type": "text", "text": content.text}
    return {
        "type": "tool_use",
        "id": f"toolu_{content.id}",
        "name": request.tool,
        "input": arguments,
    }


def _stop_reason(block: dict[str, Any] | None, content: ReplyContent) -> str:
    usual = "tool_use" if block is not None and block["type"] == "tool_use" else "end_turn"
    return _FINISH.get(content.finish, usual)


def _event(kind: str, **data: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n"
