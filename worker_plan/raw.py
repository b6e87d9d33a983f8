"""What a `_raw` artifact keeps beside the model's answer: who answered, and what was asked."""

from __future__ import annotations

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
    if reply.failure is not None:
        facts["failure"] = str(reply.failure)
    return facts


def record(
    reply: Reply[Any], call: Call[Any], answer: BaseModel | dict[str, Any]
) -> dict[str, Any]:
    """Return the content of a `_raw` artifact for a step with one call."""
    plain = answer.model_dump(mode="json") if isinstance(answer, BaseModel) else answer
    return plain | {
        "metadata": metadata(reply),
        "system_prompt": call.system,
        "user_prompt": call.user,
    }
