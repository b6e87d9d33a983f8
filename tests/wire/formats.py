"""The three wire formats as a server writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

from tests.wire.script import Say, Seen

_REFUSALS = {"refusal", "content_filter"}


class WireFormat(Protocol):
    """How one kind of server reads requests and writes replies."""

    path: str
    base: str

    def seen(self, *, at: float, headers: Mapping[str, str], body: dict[str, Any]) -> Seen:
        """Return the facts of a request."""
        ...

    def reply(self, say: Say, model: str) -> dict[str, Any]:
        """Return the body of a reply."""
        ...

    def error(self, code: int, name: str, message: str) -> dict[str, Any]:
        """Return the body that comes with an error status."""
        ...


class OpenAIFormat:
    """Chat completions."""

    path = "/v1/chat/completions"
    base = "/v1"

    def seen(self, *, at: float, headers: Mapping[str, str], body: dict[str, Any]) -> Seen:
        """Return the facts of a request."""
        schema = (body.get("response_format") or {}).get("json_schema", {}).get("schema")
        bound = body.get("max_tokens") or body.get("max_completion_tokens")
        return Seen(
            at=at, path=self.path, headers=headers, body=body, messages=body["messages"],
            schema=schema, max_tokens=bound,
        )  # fmt: skip

    def reply(self, say: Say, model: str) -> dict[str, Any]:
        """Return the body of a reply."""
        message: dict[str, Any] = {"role": "assistant", "content": say.text, "refusal": None}
        if say.finish == "refusal":
            message |= {"content": None, "refusal": say.text}
        if say.tool:
            function = {"name": "reply", "arguments": say.text}
            call = {"id": "call_1", "type": "function", "function": function}
            message |= {"content": None, "tool_calls": [call]}
        finish = "tool_calls" if say.tool else "stop" if say.finish == "refusal" else say.finish
        usage: dict[str, Any] = {
            "prompt_tokens": say.input_tokens,
            "completion_tokens": say.output_tokens,
            "total_tokens": say.input_tokens + say.output_tokens,
        }
        if say.thinking_tokens is not None:
            usage["completion_tokens_details"] = {"reasoning_tokens": say.thinking_tokens}
        if say.cost is not None:
            usage["cost"] = say.cost
        choice = {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
        return {
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1_700_000_000,
            "model": f"{model}-served", "choices": [choice], "usage": usage,
        }  # fmt: skip

    def error(self, code: int, name: str, message: str) -> dict[str, Any]:
        """Return the body that comes with an error status."""
        return {"error": {"message": message, "type": "error", "param": None, "code": name}}


class AnthropicFormat:
    """Messages."""

    path = "/v1/messages"
    base = ""
    _finish = {"stop": "end_turn", "length": "max_tokens"}  # noqa: RUF012 - never changed

    def seen(self, *, at: float, headers: Mapping[str, str], body: dict[str, Any]) -> Seen:
        """Return the facts of a request."""
        system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
        schema = (body.get("output_config") or {}).get("format", {}).get("schema")
        return Seen(
            at=at, path=self.path, headers=headers, body=body,
            messages=[*system, *body["messages"]], schema=schema, max_tokens=body["max_tokens"],
        )  # fmt: skip

    def reply(self, say: Say, model: str) -> dict[str, Any]:
        """Return the body of a reply."""
        content: list[dict[str, Any]] = [{"type": "text", "text": say.text}] if say.text else []
        if say.tool:
            arguments = json.loads(say.text)
            content = [{"type": "tool_use", "id": "t1", "name": "reply", "input": arguments}]
        finish = "tool_use" if say.tool else self._finish.get(say.finish, say.finish)
        usage: dict[str, Any] = {
            "input_tokens": say.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": say.output_tokens,
        }
        if say.thinking_tokens is not None:
            usage["output_tokens_details"] = {"thinking_tokens": say.thinking_tokens}
        return {
            "id": "msg_1", "type": "message", "role": "assistant", "model": f"{model}-served",
            "content": content, "stop_reason": finish, "stop_sequence": None, "usage": usage,
        }  # fmt: skip

    def error(self, code: int, name: str, message: str) -> dict[str, Any]:
        """Return the body that comes with an error status."""
        return {"type": "error", "error": {"type": name, "message": message}}


class OllamaFormat:
    """Ollama's chat."""

    path = "/api/chat"
    base = ""

    def seen(self, *, at: float, headers: Mapping[str, str], body: dict[str, Any]) -> Seen:
        """Return the facts of a request."""
        schema = body.get("format") if isinstance(body.get("format"), dict) else None
        return Seen(
            at=at, path=self.path, headers=headers, body=body, messages=body["messages"],
            schema=schema, max_tokens=(body.get("options") or {}).get("num_predict"),
        )  # fmt: skip

    def reply(self, say: Say, model: str) -> dict[str, Any]:
        """Return the body of a reply; this format has no word for a refusal."""
        return {
            "model": f"{model}-served", "created_at": "2025-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": say.text},
            "done": True,
            "done_reason": "stop" if say.finish in _REFUSALS else say.finish,
            "total_duration": 1, "load_duration": 1,
            "prompt_eval_count": say.input_tokens, "prompt_eval_duration": 1,
            "eval_count": say.output_tokens, "eval_duration": 1,
        }  # fmt: skip

    def error(self, code: int, name: str, message: str) -> dict[str, Any]:
        """Return the body that comes with an error status."""
        return {"error": message}


def format_called(name: str) -> WireFormat:
    """Return the format `openai`, `anthropic` or `ollama`."""
    formats: dict[str, WireFormat] = {
        "openai": OpenAIFormat(),
        "anthropic": AnthropicFormat(),
        "ollama": OllamaFormat(),
    }
    return formats[name]
