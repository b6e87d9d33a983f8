"""Ollama's chat and generate, and the small requests its clients make before them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from model_gateway.attempt import Message
from model_gateway.wire_formats.wire_format import (
    Body,
    RefusedRequestError,
    ReplyContent,
    Tool,
    WireRequest,
    free_tools,
    joined,
    not_text,
    parsed,
    tool_arguments,
)

VERSION = "0.12.0"
_CONTEXT_TOKENS = 131_072
_NANOSECONDS = 1_000_000_000


class _Function(Body):
    arguments: dict[str, Any] = Field(default_factory=dict)


class _ToolCall(Body):
    function: _Function


class _RequestMessage(Body):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    images: list[Any] | None = None
    tool_calls: list[_ToolCall] | None = None


class _Options(Body):
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    num_predict: int | None = None


class _OfferedTool(Body):
    function: Tool


class _Request(Body):
    model: str = ""
    format: Literal["", "json"] | dict[str, Any] | None = None
    options: _Options | None = None
    stream: bool = True  # Ollama streams by default.


class _ChatRequest(_Request):
    messages: list[_RequestMessage] = Field(min_length=1)
    tools: list[_OfferedTool] | None = None


class _GenerateRequest(_Request):
    prompt: str = Field(min_length=1)
    system: str | None = None
    suffix: str | None = None
    images: list[Any] | None = None


class OllamaChat:
    """Reads and writes `POST /api/chat`."""

    stream_type = "application/x-ndjson"

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Read a request; a single tool becomes the schema of the reply.

        The format cannot require a tool, so a single tool counts as required.
        """
        request = parsed(_ChatRequest, body)
        tools = [tool.function for tool in request.tools or []]
        if len(tools) > 1:
            raise free_tools(len(tools))
        return _wire_request(request, [_message(message) for message in request.messages], *tools)

    def reply(self, request: WireRequest, content: ReplyContent) -> dict[str, Any]:
        """Return the one object that is the whole reply."""
        return _whole(request, content) | {"message": self._message(request, content)}

    def stream(self, request: WireRequest, content: ReplyContent) -> Iterator[str]:
        """Yield one line with all of the message, and the closing line."""
        begun = _head(request, content) | {
            "message": self._message(request, content),
            "done": False,
        }
        empty = {"role": "assistant", "content": ""}
        yield json.dumps(begun) + "\n"
        yield json.dumps(_whole(request, content) | {"message": empty}) + "\n"

    def error(self, status: int, message: str) -> dict[str, Any]:  # noqa: ARG002 - the Protocol's
        """Return an error object."""
        return {"error": message}

    def _message(self, request: WireRequest, content: ReplyContent) -> dict[str, Any]:
        arguments = tool_arguments(request, content)
        if arguments is None:
            return {"role": "assistant", "content": content.text}
        call = {"function": {"name": request.tool, "arguments": arguments}}
        return {"role": "assistant", "content": "", "tool_calls": [call]}


class OllamaGenerate(OllamaChat):
    """Reads and writes `POST /api/generate`, where the reply is a bare text."""

    def read(self, body: Mapping[str, Any]) -> WireRequest:
        """Read a request."""
        request = parsed(_GenerateRequest, body)
        if request.images:
            raise not_text("image")
        if request.suffix:
            raise RefusedRequestError(400, "The gateway does not fill in text before a suffix.")
        system: list[Message] = []
        if request.system:
            system = [{"role": "system", "content": request.system}]
        return _wire_request(request, [*system, {"role": "user", "content": request.prompt}])

    def reply(self, request: WireRequest, content: ReplyContent) -> dict[str, Any]:
        """Return the one object that is the whole reply."""
        return _whole(request, content) | {"response": content.text}

    def stream(self, request: WireRequest, content: ReplyContent) -> Iterator[str]:
        """Yield one line with all of the text, and the closing line."""
        begun = _head(request, content) | {"response": content.text, "done": False}
        yield json.dumps(begun) + "\n"
        yield json.dumps(_whole(request, content) | {"response": ""}) + "\n"


def listing(model_id: str) -> dict[str, Any]:
    """Return what `GET /api/tags` says: the one model that answers here."""
    return {"models": [{"name": model_id, "model": model_id, "size": 0, "details": _details()}]}


def showing(model_id: str) -> dict[str, Any]:
    """Return what `POST /api/show` says of any model."""
    info = {
        "general.architecture": "gateway",
        "general.basename": model_id,
        "gateway.context_length": _CONTEXT_TOKENS,
    }
    return {"details": _details(), "model_info": info, "capabilities": ["completion", "tools"]}


def _details() -> dict[str, str]:
    return {"format": "gateway", "family": "gateway", "parameter_size": "", "parent_model": ""}


def _wire_request(
    request: _Request, messages: list[Message], tool: Tool | None = None
) -> WireRequest:
    options = request.options or _Options()
    schema = request.format if isinstance(request.format, dict) else None
    if request.format == "json":
        schema = {"type": "object"}
    bound = options.num_predict
    return WireRequest.of(
        model=request.model,
        messages=messages,
        tool=tool,
        schema=schema,
        max_output_tokens=bound if bound is not None and bound > 0 else None,  # -1: no bound
        arguments={
            "temperature": options.temperature,
            "top_p": options.top_p,
            "seed": options.seed,
        },
        stop=options.stop,
        stream=request.stream,
    )


def _message(message: _RequestMessage) -> Message:
    if message.images:
        raise not_text("image")
    content = message.content
    if not content and message.tool_calls:
        content = joined(
            json.dumps(c.function.arguments, ensure_ascii=False) for c in message.tool_calls
        )
    return {"role": "user" if message.role == "tool" else message.role, "content": content or ""}


def _head(request: WireRequest, content: ReplyContent) -> dict[str, Any]:
    created = datetime.fromtimestamp(content.created, UTC).isoformat()
    return {"model": request.model, "created_at": created.replace("+00:00", "Z")}


def _whole(request: WireRequest, content: ReplyContent) -> dict[str, Any]:
    spent = int(content.seconds * _NANOSECONDS)
    return _head(request, content) | {
        "done": True,
        "done_reason": "length" if content.finish == "length" else "stop",
        "total_duration": spent,
        "load_duration": 0,
        "prompt_eval_count": content.input_tokens,
        "prompt_eval_duration": 0,
        "eval_count": content.output_tokens,
        "eval_duration": spent,
    }
