"""Mends what a model wrote slightly wrong, where only one thing can be meant."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

_MOST_LAYERS = 3
_STRING = r'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)'
_TRAILING = re.compile(rf'({_STRING})|(?<=[\w"}}\]])\s*,(?=\s*[}}\]])', re.DOTALL)


class Mend(StrEnum):
    """What was mended in a reply, as records name it."""

    trailing_comma = "trailing comma"
    json_in_string = "JSON in a string"
    list_of_one = "list of one object"
    wrapper_key = "object under a wrapper key"
    arguments_as_object = "arguments of a tool call as an object"
    event_stream = "stream of events"
    reasoning_field = "taken from the reasoning field"


@dataclass(frozen=True, kw_only=True)
class JsonCandidate:
    """A JSON object or array in a reply, and what had to be mended to read it."""

    value: Any
    mends: tuple[Mend, ...] = ()


def without_trailing_commas(text: str) -> str:
    """Return JSON without commas between a value and the bracket that closes around it."""
    return _TRAILING.sub(lambda match: match[1] or "", text)


def unwrapped(candidate: JsonCandidate, names: frozenset[str]) -> Iterator[JsonCandidate]:
    """Yield what `candidate` holds in a list of one, under one wrapper key, or both.

    `names` are the keys of the object that is looked for: what has one of them does not wrap it.
    Beside a wrapper key there may be texts and numbers, but no second object or list.
    """
    for _ in range(_MOST_LAYERS):
        inner = _inside(candidate.value, names)
        if inner is None:
            return
        candidate = JsonCandidate(value=inner.value, mends=(*candidate.mends, *inner.mends))
        yield candidate


def _inside(value: Any, names: frozenset[str]) -> JsonCandidate | None:
    if isinstance(value, list):
        is_one = len(value) == 1 and isinstance(value[0], dict)
        return JsonCandidate(value=value[0], mends=(Mend.list_of_one,)) if is_one else None
    if not isinstance(value, dict) or not names.isdisjoint(value):
        return None
    holders = [part for part in value.values() if isinstance(part, dict | list)]
    if len(holders) == 1:
        return JsonCandidate(value=holders[0], mends=(Mend.wrapper_key,))
    text = next(iter(value.values()), None)
    inner = json_in_string(text) if len(value) == 1 and isinstance(text, str) else None
    if inner is None:
        return None
    return JsonCandidate(value=inner, mends=(Mend.wrapper_key, Mend.json_in_string))


def json_in_string(text: str) -> Any:
    """Return the object or array that a string holds and nothing else, or None."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError):
        return None


def mended_again(value: Any, mends: Collection[str]) -> Any:
    """Return the part of `value` that was taken when its reply was mended so."""
    layers = [mend for mend in mends if mend in {Mend.list_of_one, Mend.wrapper_key}]
    for inner, _ in zip(unwrapped(JsonCandidate(value=value), frozenset()), layers, strict=False):
        value = inner.value
    return value
