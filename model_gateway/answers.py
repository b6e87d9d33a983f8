"""What may be recorded of a model's answer, and what is wrong with it before it is parsed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from model_gateway.call import Failure, FailureKind
from model_gateway.keys import Redactor
from model_gateway.provider import Answer
from model_gateway.replies import json_in
from model_gateway.visible import one_line, sound

_LONG_TEXT = 200_000
_LONGEST_NAME = 200


async def cleaned(answer: Answer, redact: Redactor) -> Answer:
    """Return an answer as it may be recorded: without keys, and without nonsense."""
    if len(answer.text) + len(answer.reasoning or "") <= _LONG_TEXT:
        return _clean(answer, redact)
    # In a thread, because it may take a second, in which other calls must not wait.
    return await asyncio.to_thread(_clean, answer, redact)


def _clean(answer: Answer, redact: Redactor) -> Answer:
    tokens = answer.input_tokens, answer.output_tokens
    if answer.input_tokens == 0 or (answer.output_tokens == 0 and answer.text):
        # No request and no text is free: this server counts nothing.
        tokens = None, None
    read = tokens[0] or 0
    cached = min(answer.cached_input_tokens or 0, read)
    return replace(
        answer,
        text=redact(sound(answer.text)),
        reasoning=answer.reasoning and redact(sound(answer.reasoning)),
        finish_reason=_name(answer.finish_reason, redact),
        model_id=_name(answer.model_id, redact),
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cached_input_tokens=cached or None,
        cache_write_tokens=min(answer.cache_write_tokens or 0, read - cached) or None,
    )


def _name(text: str | None, redact: Redactor) -> str | None:
    """Return a name that a server sent, on one line and without keys."""
    return text if text is None else one_line(redact(sound(text[:_LONG_TEXT])), _LONGEST_NAME)


def fault_of(answer: Answer) -> Failure | None:
    """Return what is wrong with a reply that need not be parsed for that."""
    if answer.finish_reason == "refusal":
        return Failure(kind=FailureKind.refused, message="the model declined to answer")
    if answer.finish_reason == "error":
        return Failure(kind=FailureKind.server, message="the server broke the reply off")
    if answer.text.strip():
        return None
    if answer.finish_reason == "load":
        return Failure(kind=FailureKind.server, message="the server only loaded its model")
    cut_off = answer.finish_reason == "length"
    kind = FailureKind.truncated if cut_off else FailureKind.empty
    return Failure(kind=kind, message=f"the reply was empty{_instead_of_text(answer)}")


def _instead_of_text(answer: Answer) -> str:
    """Return what a reply without text holds, and how to use it."""
    where = f"the field {answer.reasoning_field}"
    if answer.finish_reason == "length":
        reached = f"reached inside the reasoning ({where})" if answer.reasoning else "reached"
        return f": the length limit was {reached}; thinking_tokens in the entry gives it more room"
    if answer.reasoning and json_in(answer.reasoning) is not None:
        return (
            f": {where} holds JSON instead of reasoning; to take it, set "
            "reply_in_reasoning = true under [options] of the entry"
        )
    if answer.reasoning:
        return f": only {where} holds text, {len(answer.reasoning)} characters without JSON"
    return ""
