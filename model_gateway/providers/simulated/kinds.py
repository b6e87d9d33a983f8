"""The purpose of a string field, read off its name, which is an identifier and not prose."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal

from model_gateway.providers.simulated.shape import Shape

Kind = Literal["id", "number", "name", "date", "currency", "address", "markdown", "text"]

_ID = frozenset({"id", "uuid", "guid"})
_NUMBER = frozenset({"index", "number", "no", "ordinal", "rank"})
_NAME = frozenset({
    "name", "title", "label", "topic", "heading", "headline", "category", "role", "area", "tag",
    "keyword", "domain", "subject", "owner", "party", "frequency", "level",
})  # fmt: skip
_DATE = frozenset({"date", "deadline", "datetime"})
_ADDRESS = frozenset({"url", "uri", "link", "website"})
_SINGULAR = re.compile(r"(?:(?<=[^aeious])ies|(?<=ss|sh|ch|xx)es|(?<!s)s)$")
_LISTS = frozenset({"list", "lists", "array", "items"})


# A reply looks up the same few identifiers thousands of times.
@lru_cache(maxsize=4096)
def parts_of(name: str) -> tuple[str, ...]:
    """Return the words of an identifier, whichever way they are joined."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return tuple(part for part in re.split(r"[^A-Za-z0-9]+", spaced.lower()) if part)


def singular(word: str) -> str:
    """Return an identifier's word without the s of a plural."""
    return _SINGULAR.sub(lambda m: "y" if m[0] == "ies" else "", word)


@lru_cache(maxsize=4096)
def element_name(name: str) -> str:
    """Return what one element of the list `name` would be called: `task_id_list` → `task_id`."""
    parts = parts_of(name)
    while len(parts) > 1 and parts[-1] in _LISTS:
        parts = parts[:-1]
    return "_".join([*parts[:-1], singular(parts[-1])]) if parts else ""


def is_id(name: str) -> bool:
    """Whether `name` looks like the name of an identifier."""
    return bool(parts_of(name)) and parts_of(name)[-1] in _ID


def is_number(name: str) -> bool:
    """Whether `name` looks like the name of a sequence number."""
    return bool(parts_of(name)) and parts_of(name)[-1] in _NUMBER


def is_name(name: str) -> bool:
    """Whether `name` looks like the name of a short name."""
    return bool(parts_of(name)) and parts_of(name)[-1] in _NAME


def kind_of(shape: Shape, name: str) -> Kind:
    """Return what a string called `name` holds; its format and pattern come first."""
    last = (parts_of(name) or ("",))[-1]
    if shape.format in {"date", "date-time"} or last in _DATE:
        return "date"
    if shape.format in {"uri", "url"} or last in _ADDRESS:
        return "address"
    if shape.format == "uuid" or last in _ID:
        return "id"
    if last == "currency":
        return "currency"
    if last in _NUMBER:
        return "number"
    if "markdown" in parts_of(name):
        return "markdown"
    return "name" if last in _NAME else "text"
