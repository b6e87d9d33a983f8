"""Ollama's chat and generate, and the small questions its clients ask before them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field

from model_gateway.attempt import Message
from model_gateway.wire_shapes.shape import (
    Asked,
    Body,
    Given,
    RefusedRequestError,
    Tool,
    free_tools,
    joined,
    not_text,
    parsed,
)

VERSION = "0.12.0"
_CONTEXT_TOKENS = 131_072
_NANOSECONDS = 1_000_000_000


class _Function(Body):
    arguments: dict[str, Any] = Field(default_factory=dict)


class _ToolCall(Body):
    function: _Function


class _Said(Body):
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


class _Offered(Body):
    function: Tool


class _Request(Body):
    model: str = ""
    format: Literal["", "json"] | dict[str, Any] | None = None
    options: _Options | None = None
    stream: bool = True  # Ollama streams unless told not to.


class _ChatRequest(_Request):
    messages: list[_Said] = Field(min_length=1)
    tools: list[_Offered] | None = None


class _GenerateRequest(_Request):
    prompt: str = Field(min_length=1)
    system: str | None = None
    suffix: str | None = None
    images: list[Any] | None = None


class OllamaChat:
    """Reads and writes `POST /api/chat`."""

    stream_type = "application/x-ndjson"

    def read(self, body: Mapping[str, Any]) -> Asked:
        """Return what `body` asks; a single tool becomes the schema of the reply.

        The format has no word for requiring a tool, so one tool alone counts as required.
        """
        request = parsed(_ChatRequest, body)
        tools = [offered.function for offered in request.tools or []]
        if len(tools) > 1:
            raise free_tools(len(tools))
        return _asked(request, [_message(said) for said in request.messages], *tools)

    def reply(self, asked: Asked, given: Given) -> dict[str, Any]:
        """Return the one object that is the whole reply."""
        return _whole(asked, given) | {"message": self._message(asked, given)}

    def stream(self, asked: Asked, given: Given) -> Iterator[str]:
        """Yield one line with all of the message, and the closing line."""
        begun = _head(asked, given) | {"message": self._message(asked, given), "done": False}
        empty = {"role": "assistant", "content": ""}
        yield json.dumps(begun) + "\n"
        yield json.dumps(_whole(asked, given) | {"message": empty}) + "\n"

    def error(self, status: int, message: str) -> dict[str, Any]:  # noqa: ARG002 - the Protocol's
        """Return an error object."""
        return {"error": message}

    def _message(self, asked: Asked, given: Given) -> dict[str, Any]:
        if asked.tool is not None and given.finish != "refusal":
            try:
                arguments = json.loads(given.text)
            except (ValueError, RecursionError):
                arguments = None  # No tool call then, as Ollama's own parser would have it.
            if isinstance(arguments, dict):
                call = {"function": {"name": asked.tool, "arguments": arguments}}
                return {"role": "assistant", "content": "", "tool_calls": [call]}
        return {"role": "assistant", "content": given.text}


class OllamaGenerate(OllamaChat):
    """Reads and writes `POST /api/generate`, where the reply is a bare text."""

    def read(self, body: Mapping[str, Any]) -> Asked:
        """Return what `body` asks."""
        request = parsed(_GenerateRequest, body)
        if request.images:
            raise not_text("image")
        if request.suffix:
            raise RefusedRequestError(400, "The gateway does not fill in text before a suffix.")
        system: list[Message] = []
        if request.system:
            system = [{"role": "system", "content": request.system}]
        return _asked(request, [*system, {"role": "user", "content": request.prompt}])

    def reply(self, asked: Asked, given: Given) -> dict[str, Any]:
        """Return the one object that is the whole reply."""
        return _whole(asked, given) | {"response": given.text}

    def stream(self, asked: Asked, given: Given) -> Iterator[str]:
        """Yield one line with all of the text, and the closing line."""
        begun = _head(asked, given) | {"response": given.text, "done": False}
        yield json.dumps(begun) + "\n"
        yield json.dumps(_whole(asked, given) | {"response": ""}) + "\n"


def listing(model_id: str) -> dict[str, Any]:
    """Return what `GET /api/tags` says: the one model that answers here."""
    return {"models": [{"name": model_id, "model": model_id, "size": 0, "details": _details()}]}


def showing(model_id: str) -> dict[str, Any]:
    """Return what `POST /api/show` says of whatever model is asked about."""
    info = {
        "general.architecture": "gateway",
        "general.basename": model_id,
        "gateway.context_length": _CONTEXT_TOKENS,
    }
    return {"details": _details(), "model_info": info, "capabilities": ["completion", "tools"]}


def _details() -> dict[str, str]:
    return {"format": "gateway", "family": "gateway", "parameter_size": "", "parent_model": ""}


def _asked(request: _Request, messages: list[Message], tool: Tool | None = None) -> Asked:
    options = request.options or _Options()
    schema = request.format if isinstance(request.format, dict) else None
    if request.format == "json":
        schema = {"type": "object"}
    stop = [options.stop] if isinstance(options.stop, str) else options.stop
    arguments = {
        "temperature": options.temperature,
        "top_p": options.top_p,
        "seed": options.seed,
        "stop": stop or None,
    }
    bound = options.num_predict
    return Asked(
        model=request.model,
        messages=messages,
        schema=tool.arguments_schema if tool else schema,
        schema_name=tool.name if tool else "Reply",
        max_output_tokens=bound if bound is not None and bound > 0 else None,  # -1 is no bound
        arguments={k: v for k, v in arguments.items() if v is not None},
        tool=tool.name if tool else None,
        stream=request.stream,
    )


def _message(said: _Said) -> Message:
    if said.images:
        raise not_text("image")
    content = said.content
    if not content and said.tool_calls:
        content = joined(
            json.dumps(c.function.arguments, ensure_ascii=False) for c in said.tool_calls
        )
    return {"role": "user" if said.role == "tool" else said.role, "content": content or ""}


def _head(asked: Asked, given: Given) -> dict[str, Any]:
    created = datetime.fromtimestamp(given.created, UTC).isoformat()
    return {"model": asked.model, "created_at": created.replace("+00:00", "Z")}


def _whole(asked: Asked, given: Given) -> dict[str, Any]:
    spent = int(given.seconds * _NANOSECONDS)
    return _head(asked, given) | {
        "done": True,
        "done_reason": "length" if given.finish == "length" else "stop",
        "total_duration": spent,
        "load_duration": 0,
        "prompt_eval_count": given.input_tokens,
        "prompt_eval_duration": 0,
        "eval_count": given.output_tokens,
        "eval_duration": spent,
    }
