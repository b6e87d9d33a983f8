"""Puts material for a model into named blocks, so that it is not taken for instructions."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


def block(tag: str, content: str) -> str:
    """Return `content` between `<tag>` and `</tag>`; the same tag inside it is escaped.

    Models also take `</ Tag >` for a tag, so spelling, spaces and attributes make no difference.
    """
    safe = re.sub(rf"<(?=\s*/?\s*{tag}\b)", "&lt;", content, flags=re.IGNORECASE)
    return f"<{tag}>\n{safe.strip()}\n</{tag}>"


def json_block(tag: str, value: BaseModel | list[Any] | dict[str, Any]) -> str:
    """Return `value` as JSON between `<tag>` and `</tag>`."""
    plain = to_jsonable_python(value)
    return block(tag, json.dumps(plain, ensure_ascii=False, indent=1))


def blocks(**contents: str) -> str:
    """Return several text blocks, one after the other, each under its keyword."""
    return "\n\n".join(block(tag, content) for tag, content in contents.items())
