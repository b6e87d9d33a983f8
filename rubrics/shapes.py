"""Where the items and texts of a step's output are, by its response schema or an example."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from rubrics.rubric import CALL_FACTS

_LONG = 60

_KEY = re.compile(r"[^\s.\[\]]+\Z")
_DEEPEST = 6
_MOST_FIELDS = 24


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field of an item: its path, and whether it is a list, one of few values, or prose."""

    path: str
    is_list: bool = False
    is_class: bool = False
    length: float | None = None
    distinct: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Where items are, and what fields they have."""

    items: str
    fields: tuple[Field, ...]
    replies: str = ""
    is_list: bool = False

    @property
    def texts(self) -> tuple[Field, ...]:
        """The fields that hold free text."""
        return tuple(field for field in self.fields if not field.is_class)


# From a schema.


def of_schema(schema: Mapping[str, Any]) -> Shape | None:
    """Return where the items are in replies of a schema: the list with the most texts."""
    lists = list(_lists(schema, schema, "", _DEEPEST))
    lists.sort(key=lambda pair: (-_texts_in(pair[1]), pair[0].count(".")))
    if lists and _texts_in(lists[0][1]):
        path, fields = lists[0]
        return Shape(items=path, fields=fields, is_list=True)
    fields = tuple(_fields(schema, schema, "", _DEEPEST))[:_MOST_FIELDS]
    return Shape(items="", fields=fields) if _texts_in(fields) else None


def _texts_in(fields: Sequence[Field]) -> int:
    return sum(not field.is_class for field in fields)


def _lists(
    schema: Any, root: Mapping[str, Any], path: str, depth: int
) -> Iterator[tuple[str, tuple[Field, ...]]]:
    schema = _resolved(schema, root)
    if depth == 0:
        return
    if schema.get("type") == "array" and path:
        inner = _resolved(schema.get("items"), root)
        if inner.get("type") == "object" or "properties" in inner:
            yield path, tuple(_fields(inner, root, "", depth - 1))[:_MOST_FIELDS]
    for key, part in _properties(schema):
        yield from _lists(part, root, f"{path}.{key}" if path else key, depth - 1)


def _fields(schema: Any, root: Mapping[str, Any], path: str, depth: int) -> Iterator[Field]:
    for key, part in _properties(_resolved(schema, root)):
        inner, here = _resolved(part, root), f"{path}.{key}" if path else key
        kind = inner.get("type")
        if kind == "string":
            yield Field(path=here, is_class="enum" in inner or "const" in inner)
        elif kind == "array" and _resolved(inner.get("items"), root).get("type") == "string":
            yield Field(path=here, is_list=True)
        elif depth and (kind == "object" or "properties" in inner):
            yield from _fields(inner, root, here, depth - 1)


def _properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties")
    for key, part in properties.items() if isinstance(properties, dict) else ():
        if isinstance(key, str) and _KEY.match(key):
            yield key, part


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Follow references, and leave out that a value may be null."""
    for _ in range(_DEEPEST):
        if not isinstance(schema, dict):
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith("#/"):
            target: Any = root
            for part in reference[2:].split("/"):
                target = target.get(part) if isinstance(target, dict) else None
            schema = target
            continue
        for choice in ("anyOf", "oneOf", "allOf"):
            parts = schema.get(choice)
            if isinstance(parts, list):
                full = [p for p in parts if isinstance(p, dict) and p.get("type") != "null"]
                schema = full[0] if full else {}
                break
        else:
            return schema
    return {}


# From an example.


def cleaned(examples: Mapping[str, Any]) -> tuple[str | None, Shape | None]:
    """Return the artifact with the cleaned form: the one with most texts that stores no call."""
    shapes = [
        (name, _of_example(value))
        for name, value in sorted(examples.items())
        if not _stores_call(value)
    ]
    named = [(name, shape) for name, shape in shapes if shape is not None]
    # Prose that is rendered from the JSON beside it holds less than the JSON.
    named.sort(key=lambda pair: (pair[1].fields == (), -len(pair[1].texts)))
    return named[0] if named else (None, None)


def stored_reply(examples: Mapping[str, Any]) -> tuple[str | None, Shape | None]:
    """Return the artifact that stores replies beside the facts of the call."""
    for name, value in sorted(examples.items()):
        if _stores_call(value):
            inner = {key: part for key, part in value.items() if key not in CALL_FACTS}
            shape = _of_replies(inner) or _of_example(inner)
            if shape is not None:
                return name, shape
    return None, None


def _stores_call(value: Any) -> bool:
    return isinstance(value, dict) and "metadata" in value


def _of_replies(value: Mapping[str, Any]) -> Shape | None:
    """Return the shape of an artifact that stores several replies in a list."""
    for key, part in value.items():
        replies = [one for one in part if isinstance(one, dict)] if isinstance(part, list) else []
        if not replies or not _KEY.match(str(key)):
            continue
        inner = _of_example(replies[0])
        outer = tuple(_observed(replies))
        # A list of items that have lists of their own is not a list of replies.
        if inner is not None and inner.is_list and _texts_in(inner.fields) > _texts_in(outer):
            return Shape(items=inner.items, fields=inner.fields, replies=str(key), is_list=True)
    return None


def _of_example(value: Any) -> Shape | None:
    """Return where the items are in a value: the list of objects with the most texts."""
    if isinstance(value, str):
        return Shape(items="", fields=()) if value.strip() else None
    lists = list(_object_lists(value, "", _DEEPEST))
    lists.sort(key=lambda pair: (-_texts_in(pair[1]), pair[0].count(".")))
    if lists and _texts_in(lists[0][1]):
        return Shape(items=lists[0][0], fields=lists[0][1], is_list=True)
    if isinstance(value, dict):
        fields = tuple(_observed([value]))[:_MOST_FIELDS]
        return Shape(items="", fields=fields) if _texts_in(fields) else None
    return None


def _object_lists(value: Any, path: str, depth: int) -> Iterator[tuple[str, tuple[Field, ...]]]:
    if depth == 0:
        return
    if isinstance(value, list):
        items = [one for one in value if isinstance(one, dict)]
        if items:
            yield path, tuple(_observed(items))[:_MOST_FIELDS]
        return
    if isinstance(value, dict):
        for key, part in value.items():
            if _KEY.match(str(key)):
                yield from _object_lists(part, f"{path}.{key}" if path else str(key), depth - 1)


def _observed(items: Sequence[Mapping[str, Any]]) -> Iterator[Field]:
    keys = dict.fromkeys(str(key) for item in items for key in item if _KEY.match(str(key)))
    for key in keys:
        values = [item[key] for item in items if key in item]
        texts = [value for value in values if isinstance(value, str) and value.strip()]
        entries = [
            entry
            for value in values
            if isinstance(value, list)
            for entry in value
            if isinstance(entry, str)
        ]
        if entries:
            yield Field(path=key, is_list=True, length=mean(map(len, entries)))
        elif texts:
            distinct = len(set(texts)) / len(texts)
            length = mean(map(len, texts))
            is_class = len(items) > 2 and distinct <= 0.5 and length < _LONG
            opaque = all(" " not in text and text.isascii() and len(text) > 30 for text in texts)
            yield Field(
                path=key, is_class=is_class or opaque, length=length, distinct=distinct
            )  # fmt: skip
