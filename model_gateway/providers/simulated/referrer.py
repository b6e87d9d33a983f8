"""The value that a field repeats: of an object of the material, or of the same reply."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from model_gateway.providers.simulated import kinds
from model_gateway.providers.simulated.draw import Draw, Part
from model_gateway.providers.simulated.records import Record
from model_gateway.providers.simulated.references import Binding, Reference, References
from model_gateway.providers.simulated.shape import Shape

Path = tuple[Part, ...]
_CHOSEN = frozenset({"choice", "setting", "selection", "value"})
_QUALIFIED = 3
_MOST = 3


@dataclass(kw_only=True)
class Scope:
    """The object being filled: its position in the lists around it, and the object it is about."""

    indices: tuple[int, ...] = ()
    binding: Binding | None = None
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def index(self) -> int:
        """The object's index in the innermost list, from 0."""
        return self.indices[-1] if self.indices else 0

    @property
    def record(self) -> Record | None:
        """The object of the material that this one is about."""
        return self.binding.records[self.index] if self.binding else None

    @property
    def identifier(self) -> Any:
        """The identifier of that object."""
        return self.binding.values[self.index] if self.binding else None

    def answers_with(self, name: str) -> bool:
        """Whether the field `name` holds that identifier."""
        return self.binding is not None and self.binding.property == name


class Referrer:
    """Resolves the references of one reply, and remembers the identifiers that it creates."""

    def __init__(self, references: References, draw: Draw) -> None:
        self._references = references
        self._draw = draw
        self._ids: dict[str, list[str]] = {}

    def text(self, node: Shape, path: Path, scope: Scope, name: str) -> str | None:
        """Return what a string field must repeat, or None if it is free."""
        if scope.answers_with(name):
            return str(scope.identifier)
        if scope.record is not None:
            fact = self._fact_of(scope.record, name, path)
            if fact is not None:
                return fact
        reference = self._reference(node, name, scope, listed=False)
        if not reference:
            return None
        values = self._earlier(reference, scope) or reference.values
        if scope.indices and scope.binding is None:
            return str(values[scope.index % len(values)])
        return str(self._draw.at(path).pick(values))

    def number(self, node: Shape, scope: Scope, name: str) -> int | None:
        """Return what a whole number must repeat, or None if it is free."""
        if scope.answers_with(name):
            return int(scope.identifier)
        identifies = kinds.is_number(name) or kinds.is_id(name)
        if identifies and scope.record is not None and type(scope.record.values.get(name)) is int:
            return int(scope.record.values[name])
        if not kinds.is_id(name):
            return None
        values = self._reference(node, name, scope, listed=False).values
        return int(values[scope.index % len(values)]) if values else None

    def several(
        self, items: Shape, path: Path, scope: Scope, name: str, parallel: int | None
    ) -> list[Any] | None:
        """Return some of the values that a list may hold, or None if it is free.

        In a list about ordered objects only earlier ones are chosen, near ones rather than far
        ones; `parallel` is the length of a list beside this one.
        """
        reference = self._reference(items, kinds.element_name(name), scope, listed=True)
        if not reference:
            return None
        values = self._earlier(reference, scope)
        if not values:
            return []
        stream = self._draw.at(path)
        most = min(_MOST if parallel is None else parallel, len(values))
        count = most if parallel is not None else 1 + stream.below(most)
        near = values[-2 * count - 1 :] if scope.binding else values
        chosen = stream.shuffled(near)[:count]
        return [value for value in values if value in chosen]

    def binding(self, array: Shape) -> Binding | None:
        """Return the objects that the items of `array` are about."""
        return self._references.binding(array)

    def new_id(self, node: Shape, path: Path, name: str) -> str:
        """Create an identifier: a letter and a number if the name says of what, else a UUID."""
        parts = kinds.parts_of(name)
        ids = self._ids.setdefault(name, [])
        if node.format == "uuid" or len(parts) == 1:
            stream = self._draw.at(path)
            whole = 0
            for _ in range(4):
                whole = whole << 32 | stream.below(2**32)
            new = str(uuid.UUID(int=whole, version=4))
        else:
            new = f"{parts[-2][0].upper()}{len(ids) + 1}"
        ids.append(new)
        return new

    def _reference(self, node: Shape, name: str, scope: Scope, *, listed: bool) -> Reference:
        parts = kinds.parts_of(name)
        if node.kind not in {"string", "integer"} or not parts:
            return Reference()
        is_id = kinds.is_id(name)
        for start in range(1, len(parts) - 1):
            ids = self._ids.get("_".join(parts[start:]))
            if ids and is_id:
                return Reference(values=tuple(ids))
        if not is_id and not (kinds.is_name(name) and len(parts) > 1):
            return Reference()
        # A list of new objects names its own objects; only a qualified name refers to others.
        new = bool(scope.indices) and scope.binding is None and not listed
        if new and not is_id and len(parts) < _QUALIFIED:
            return Reference()
        if scope.record is not None and name in scope.record.values:
            return Reference()
        return self._references.find(name, node.kind)

    def _fact_of(self, record: Record, name: str, path: Path) -> str | None:
        """Return a fact of the object: its name, or one of its options."""
        parts = kinds.parts_of(name)
        value = record.values.get(name)
        if isinstance(value, str) and (kinds.is_name(name) or kinds.is_id(name)):
            return value
        if len(parts) > 1 and parts[-1] in {"name", "title"} and record.name:
            return record.name
        for key, options in record.choices.items():
            if parts and parts[-1] in {kinds.singular(kinds.parts_of(key)[-1]), *_CHOSEN}:
                return self._draw.at(path).pick(options)
        return None

    def _earlier(self, reference: Reference, scope: Scope) -> Sequence[Any]:
        """Return the values before the object's own; all, if that is not among them."""
        if scope.binding is None or scope.identifier not in reference.values:
            return reference.values
        return reference.values[: reference.values.index(scope.identifier)]
