"""The content of a `_raw` artifact: the model's answer, who answered, and what was asked."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from model_gateway.call import Call, Reply


def metadata(reply: Reply[Any]) -> dict[str, Any]:
    """Return the facts of one call: model, seconds, bytes of the reply, and what went wrong."""
    facts: dict[str, Any] = {
        "model_name": reply.model,
        "duration": round(reply.seconds, 3),
        "response_byte_count": len(reply.text.encode("utf-8", "replace")),
    }
    if reply.partial:
        facts["partial"] = True
    if reply.mended:
        facts["mended"] = list(reply.mended)
    if reply.failure is not None:
        facts["failure"] = str(reply.failure)
    return facts


def record(
    reply: Reply[Any],
    call: Call[Any],
    answer: BaseModel | dict[str, Any],
    *,
    prompt_key: str = "user_prompt",
) -> dict[str, Any]:
    """Return the content of a `_raw` artifact for a step with one call."""
    return _values(answer) | {
        "metadata": metadata(reply),
        "system_prompt": call.system,
        prompt_key: call.user,
    }


def numbered(
    items: Iterable[BaseModel | dict[str, Any]], key: str = "item_index"
) -> list[dict[str, Any]]:
    """Return the items as JSON values, each with its number, from 1, under `key`."""
    return [{key: number} | _values(item) for number, item in enumerate(items, start=1)]


def _values(item: BaseModel | dict[str, Any]) -> dict[str, Any]:
    return item.model_dump(mode="json") if isinstance(item, BaseModel) else item
