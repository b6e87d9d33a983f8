"""The fields of a reply in which servers put what a model thought before it answered."""

from __future__ import annotations

from typing import Any

REASONING = (
    "reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details",
    "thinking_blocks", "thoughts",
)  # fmt: skip
_INSIDE = ("thinking", "reasoning", "text", "content", "summary")
_KINDS = ("thinking", "reasoning", "thought")
_DEEPEST = 5


def reasoning_in(fields: dict[str, Any]) -> tuple[str, str] | None:
    """Return the first field of reasoning that holds text, and its text."""
    for name in REASONING:
        text = text_of(fields.get(name))
        if text.strip():
            return name, text
    return None


def text_of(value: Any, depth: int = 0) -> str:
    """Return the text of a field that holds a text, blocks with texts, or a list of such blocks."""
    if isinstance(value, str):
        return value
    if depth > _DEEPEST:
        return ""
    if isinstance(value, list):
        return "".join(text_of(item, depth + 1) for item in value)
    if isinstance(value, dict):
        texts = (text_of(value.get(name), depth + 1) for name in _INSIDE)
        return next(filter(None, texts), "")
    return ""


def is_reasoning(kind: Any, *, thought: Any = None) -> bool:
    """Whether a part of a message, of this type, is reasoning."""
    return thought is True or (isinstance(kind, str) and any(word in kind for word in _KINDS))
