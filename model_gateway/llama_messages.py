"""What llama-index says and wants to hear, in the gateway's words."""

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
from model_gateway.unnamed_calls import Unnamed

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


def with_native_schema(asked: Unnamed) -> tuple[Unnamed, dict[str, Any] | None]:
    """Take the schema that a text completion program wrote into a message out of it again."""
    before, _, after = PYDANTIC_FORMAT_TMPL.partition("{schema}")
    for place, message in enumerate(asked.messages):
        text, found, rest = message["content"].rpartition(f"\n\n{before}")
        if not found or not rest.endswith(after):
            continue
        try:
            # The program doubles every brace, as if a template were still to be filled in.
            schema = json.loads(rest.removesuffix(after).replace("{{", "{").replace("}}", "}"))
        except ValueError:
            continue
        messages = list(asked.messages)
        messages[place] = {**message, "content": text}
        return replace(asked, messages=messages), schema
    return asked, None


def fields(value: BaseModel) -> dict[str, Any]:
    """Return the fields of `value` under the names by which its class is made."""
    named = {}
    for name, info in type(value).model_fields.items():
        alias = info.validation_alias
        named[alias if isinstance(alias, str) else name] = getattr(value, name)
    return named


def usage(told: ExchangeEnd) -> dict[str, int]:
    """Return the token counts under the names that llama-index's own counter reads."""
    prompt, completion = told.input_tokens or 0, told.output_tokens or 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def raw(told: ExchangeEnd) -> dict[str, Any]:
    """Return what a response of llama-index shows as the server's own reply."""
    return {"model": told.model, "finish_reason": told.finish_reason, "usage": usage(told)}
