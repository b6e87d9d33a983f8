"""The messages of a call as a model gets them: without keys, with the schema, with feedback."""

from __future__ import annotations

import json
from dataclasses import replace

from model_gateway.attempt import Message
from model_gateway.call import Failure, FailureKind
from model_gateway.config import Model
from model_gateway.door import Question
from model_gateway.keys import Redactor
from model_gateway.wire_replies import sendable

FEEDBACK = (
    "Your reply could not be used: {problem}\n"
    "Send the whole answer again as one JSON object of the required shape, and nothing else."
)
SHORTER = (
    "Your reply broke off before its JSON was complete. "
    "Send the whole answer again, shorter, as one complete JSON object."
)
SCHEMA_IN_PROMPT = (
    "\n\nReply with one JSON object that fits this JSON schema, and with nothing else:\n{schema}"
)

_LONGEST_ECHO = 20_000


def without_keys(question: Question, redact: Redactor) -> Question:
    """Return a question as it may leave the machine, which is also how it is recorded."""
    question = replace(question, messages=sendable(question.messages))
    parts = {
        "messages": question.messages, "schema": question.schema, "arguments": question.arguments
    }  # fmt: skip
    text = json.dumps([question.key, parts], ensure_ascii=False)
    if redact(text) == text:
        return question
    return replace(question, key=redact(question.key), **redact.value(parts))


def with_schema(question: Question, model: Model) -> list[Message]:
    """Return the messages; a server that takes no schema gets it as text in the first message."""
    if question.schema is None or model.structured == "json_schema":
        return question.messages
    schema = json.dumps(question.schema, ensure_ascii=False)
    first, *rest = question.messages
    return [{**first, "content": first["content"] + SCHEMA_IN_PROMPT.format(schema=schema)}, *rest]


def folded(messages: list[Message]) -> list[Message]:
    """Return the messages for a server without a system role: its text begins the user's first."""
    system = [m["content"] for m in messages if m["role"] == "system"]
    others = [m for m in messages if m["role"] != "system"]
    if not system:
        return messages
    if not others or others[0]["role"] != "user":
        others.insert(0, {"role": "user", "content": ""})
    first, *rest = others
    text = "\n\n".join(filter(None, [*system, first["content"]]))
    return [{**first, "content": text}, *rest]


def feedback_on(failure: Failure, text: str) -> list[Message]:
    """Return the messages that tell the model what was wrong with its last reply."""
    if failure.kind is FailureKind.truncated:
        feedback = SHORTER
    elif failure.kind in {FailureKind.schema, FailureKind.schema_echo}:
        feedback = FEEDBACK.format(problem=failure.message)
    else:
        return []
    # A server that could not form JSON sends no text, and servers refuse an empty turn.
    said = [{"role": "assistant", "content": text[:_LONGEST_ECHO]}] if text.strip() else []
    return [*said, {"role": "user", "content": feedback}]
