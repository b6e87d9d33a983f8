"""Converts between llama-index's messages and replies and the gateway's."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole, TextBlock, ThinkingBlock
from llama_index.core.output_parsers.pydantic import PYDANTIC_FORMAT_TMPL
from pydantic import BaseModel

from model_gateway.attempt import Message
from model_gateway.door import ExchangeEnd
from model_gateway.errors import GatewayError
from model_gateway.unnamed_calls import UnnamedCall

_ASSISTANTS = {MessageRole.ASSISTANT, MessageRole.MODEL, MessageRole.CHATBOT}
_SYSTEMS = {MessageRole.SYSTEM, MessageRole.DEVELOPER}


def plain(message: ChatMessage) -> Message:
    """Return the role and the text of `message`.

    Raises:
        GatewayError: it holds something other than text.
    """
    texts = []
    for block in message.blocks:
        if isinstance(block, TextBlock):
            texts.append(block.text)
        elif not isinstance(block, ThinkingBlock):
            raise GatewayError(f"The gateway passes on text only, not {type(block).__name__}.")
    role = "user"
    if message.role in _ASSISTANTS:
        role = "assistant"
    elif message.role in _SYSTEMS:
        role = "system"
    return {"role": role, "content": "\n".join(texts)}


def with_native_schema(call: UnnamedCall) -> tuple[UnnamedCall, dict[str, Any] | None]:
    """Move the schema that a text completion program wrote into a message out of it."""
    before, _, after = PYDANTIC_FORMAT_TMPL.partition("{schema}")
    for index, message in enumerate(call.messages):
        text, match, rest = message["content"].rpartition(f"\n\n{before}")
        if not match or not rest.endswith(after):
            continue
        try:
            # The program doubles every brace, as for a template that has yet to be filled in.
            schema = json.loads(rest.removesuffix(after).replace("{{", "{").replace("}}", "}"))
        except ValueError:
            continue
        messages = list(call.messages)
        messages[index] = {**message, "content": text}
        return replace(call, messages=messages), schema
    return call, None


def fields(value: BaseModel) -> dict[str, Any]:
    """Return the fields of `value` under the names that its constructor takes."""
    values = {}
    for name, info in type(value).model_fields.items():
        alias = info.validation_alias
        values[alias if isinstance(alias, str) else name] = getattr(value, name)
    return values


def usage(end: ExchangeEnd) -> dict[str, int]:
    """Return the token counts under the names that llama-index's counter reads."""
    prompt, completion = end.input_tokens or 0, end.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def raw(end: ExchangeEnd) -> dict[str, Any]:
    """Return what a llama-index response shows as the server's raw reply."""
    return {"model": end.model, "finish_reason": end.finish_reason, "usage": usage(end)}
