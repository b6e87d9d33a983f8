"""Reads the complete part of JSON that broke off."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json

from model_gateway.replies.json_reader import BRACKETS

_OPENING = ("{", "[")
_CLOSING = ("}", "]")
_LAST_NUMBER = re.compile(r"-?\d[\d.eE+-]*\Z")


def parts(text: str) -> Iterator[Any]:
    """Yield readings of unclosed JSON: complete items first, half a string at the end last."""
    data = text.encode("utf-8", "replace")
    whole = _LAST_NUMBER.sub("", text).encode("utf-8", "replace")
    try:
        yield from _without_open_items(from_json(whole, allow_partial=True), _open_brackets(text))
        yield from_json(whole, allow_partial=True)
        yield from_json(data, allow_partial=True)
        yield from_json(data, allow_partial="trailing-strings")
    except ValueError:
        return


def _open_brackets(text: str) -> str:
    """Return the brackets that are open at the end of `text`, the outermost first."""
    still_open: list[str] = []
    for match in BRACKETS.finditer(text):
        if match[0] in _OPENING:
            still_open.append(match[0])
        elif match[0] in _CLOSING and still_open:
            still_open.pop()
    return "".join(still_open)


def _without_open_items(value: Any, still_open: str) -> Iterator[Any]:
    """Drop the unfinished object from its list, then the one around that, and so on."""
    owners = [value]
    for _ in still_open[1:]:
        owner = owners[-1]
        children = list(owner.values()) if isinstance(owner, dict) else owner
        if not isinstance(children, list) or not children:
            break
        owners.append(children[-1])
    for owner, bracket in reversed(list(zip(owners, still_open[1:], strict=False))):
        if isinstance(owner, list) and owner and bracket == "{":
            owner.pop()
            yield value
