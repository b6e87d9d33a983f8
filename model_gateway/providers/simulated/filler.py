"""Fills a reply's shape: looks up references, and gets all else from a voice."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Protocol

from model_gateway.providers.simulated import kinds, numbers, pattern
from model_gateway.providers.simulated.draw import Draw
from model_gateway.providers.simulated.records import Record
from model_gateway.providers.simulated.references import References
from model_gateway.providers.simulated.referrer import Path, Referrer, Scope
from model_gateway.providers.simulated.shape import Shape

_CURRENCIES = ("EUR", "USD", "GBP", "JPY", "DKK", "CHF")
_NOTHING = frozenset({"null", "end"})
_LEFT_OUT = 0.15
_FALSE_IN_LIST = 0.3
_DAYS_APART = 14
_START = date(2026, 1, 5)


class Voice(Protocol):
    """Decides what the walk does not know: how many items, how long, in which words."""

    def enter(self, shape: Shape, path: Path) -> Mapping[str, Any]:
        """Begin an object; return the properties whose values are already decided."""
        ...

    def count(self, shape: Shape, path: Path) -> int:
        """Return how many items a list of new things gets."""
        ...

    def name(self, shape: Shape, path: Path) -> str:
        """Return a short name, unlike the others of its list."""
        ...

    def text(self, shape: Shape, path: Path, topic: str) -> str:
        """Return running text; `topic` is the name of its subject, or an empty string."""
        ...

    def document(self, path: Path) -> str:
        """Return a longer text with headings."""
        ...

    def currencies(self) -> tuple[str, ...]:
        """Return the currencies that the material mentions."""
        ...


class Filler:
    """Fills one reply."""

    def __init__(self, *, references: References, voice: Voice, draw: Draw) -> None:
        self._references = references
        self._referrer = Referrer(references, draw)
        self._voice = voice
        self._draw = draw

    def fill(self, shape: Shape) -> Any:
        """Return a value for the whole reply."""
        return self._value(shape, (), Scope(), shape.name)

    def _value(self, shape: Shape, path: Path, scope: Scope, name: str) -> Any:
        kind = shape.kind
        if kind == "string":
            value: Any = self._string(shape, path, scope, name)
        elif kind == "object":
            value = self._object(shape, path, scope)
        elif kind == "array":
            value = self._array(shape, path, scope, name)
        elif kind == "choice":
            value = self._choice(shape, path, scope)
        elif kind in {"integer", "number"}:
            value = self._number(shape, path, scope, name)
        elif kind == "boolean":
            value = not scope.indices or not self._draw.at(path).chance(_FALSE_IN_LIST)
        elif kind == "map":
            value = self._map(shape, path, scope)
        elif kind == "tuple":
            nodes = enumerate(shape.properties)
            value = [self._value(node, (*path, i), scope, name) for i, node in nodes]
        else:
            value = None if kind in _NOTHING else self._voice.text(shape, path, "")
        return value

    def _object(self, shape: Shape, path: Path, scope: Scope) -> dict[str, Any]:
        decided = self._voice.enter(shape, path)
        scope = Scope(indices=scope.indices, binding=scope.binding)
        values = scope.values
        for node in shape.properties:
            here = (*path, node.name)
            if node.name in decided:
                values[node.name] = decided[node.name]
            elif node.nullable and self._is_left_out(node, here):
                values[node.name] = None
            else:
                inner = Scope(indices=scope.indices) if node.kind == "object" else scope
                values[node.name] = self._value(node, here, inner, node.name)
        numbers.put_in_order(values, shape)
        return values

    def _is_left_out(self, node: Shape, path: Path) -> bool:
        refers = node.kind in {"string", "integer"} and kinds.is_id(node.name)
        return not refers and self._draw.at(path, "null").chance(_LEFT_OUT)

    def _array(self, shape: Shape, path: Path, scope: Scope, name: str) -> list[Any]:
        items = shape.items or Shape(kind="string")
        parallel = _parallel(scope, name)
        referred = self._referrer.several(items, path, scope, name, parallel)
        if referred is not None:
            return referred
        binding = self._referrer.binding(shape)
        if binding is not None:
            count = len(binding.values)
        else:
            count = self._voice.count(shape, path) if parallel is None else parallel
        count = count if shape.high is None else min(count, int(shape.high))
        element = kinds.element_name(name)
        return [
            self._value(
                items, (*path, index), Scope(indices=(*scope.indices, index), binding=binding),
                element,
            )
            for index in range(count)
        ]  # fmt: skip

    def _string(self, shape: Shape, path: Path, scope: Scope, name: str) -> str:
        reference = self._referrer.text(shape, path, scope, name)
        if reference is not None:
            return reference
        value = self._of_kind(kinds.kind_of(shape, name), shape, path, scope, name)
        if shape.pattern and not pattern.fits(value, shape.pattern):
            return pattern.matching(shape.pattern, self._draw.at(path)) or value
        return value

    def _of_kind(self, kind: kinds.Kind, shape: Shape, path: Path, scope: Scope, name: str) -> str:
        if kind == "text":
            topic = scope.record.name if scope.record else ""
            return self._voice.text(shape, path, topic)
        if kind == "name":
            return self._voice.name(shape, path)
        if kind == "markdown":
            return self._voice.document(path)
        if kind == "id":
            return self._referrer.new_id(shape, path, name)
        return self._fact(kind, shape, scope)

    def _fact(self, kind: kinds.Kind, shape: Shape, scope: Scope) -> str:
        if kind == "number":
            return ".".join(str(i + 1) for i in scope.indices) or "1"
        if kind == "date":
            return self._date(shape, scope)
        if kind == "currency":
            stated = self._voice.currencies() or _CURRENCIES
            return stated[scope.index % len(stated)]
        return f"https://example.org/{1 + sum(scope.indices)}"

    def _date(self, shape: Shape, scope: Scope) -> str:
        start = self._references.first_date or _START
        day = start + timedelta(days=_DAYS_APART * (sum(scope.indices) + len(scope.values)))
        return f"{day.isoformat()}T09:00:00Z" if shape.format == "date-time" else day.isoformat()

    def _number(self, shape: Shape, path: Path, scope: Scope, name: str) -> float:
        reference = self._referrer.number(shape, scope, name)
        if reference is not None:
            return reference
        if kinds.is_number(name) or kinds.is_id(name):
            return numbers.clamped(scope.index + 1, shape)
        return numbers.value(shape, name, self._draw.at(path))

    def _choice(self, shape: Shape, path: Path, scope: Scope) -> Any:
        """Return the first choice for a lone field, and any in a list.

        A lone choice is often a gate; a random one would stop plans at random.
        """
        return self._draw.at(path).pick(shape.choices) if scope.indices else shape.choices[0]

    def _map(self, shape: Shape, path: Path, scope: Scope) -> dict[str, Any]:
        items = shape.items or Shape(kind="string")
        named: dict[str, Record | None] = dict.fromkeys(shape.keys)
        named = named or dict(self._references.keys_of(shape))
        if not named:
            count = self._voice.count(shape, path)
            named = {self._voice.name(shape, (*path, i, "name")): None for i in range(count)}
        values: dict[str, Any] = {}
        for index, (key, record) in enumerate(named.items()):
            options = next(iter(record.choices.values()), ()) if record else ()
            here = (*path, index)
            if options and items.kind == "string":
                turn = scope.index + self._draw.at(here).below(2)
                values[key] = options[turn % len(options)]
            else:
                values[key] = self._value(items, here, Scope(indices=(index,)), "")
        return values


def _parallel(scope: Scope, name: str) -> int | None:
    """Return the length of the list beside this one whose name begins the same way."""
    stem = kinds.parts_of(name)[:-2]
    for other, value in scope.values.items():
        alike = len(stem) > 1 and kinds.parts_of(other)[: len(stem)] == stem
        if alike and isinstance(value, list):
            return len(value)
    return None
