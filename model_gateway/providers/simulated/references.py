"""Which fields of a reply must repeat names of the material, by the fields' identifiers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from model_gateway.providers.simulated import kinds
from model_gateway.providers.simulated.records import Record, Records
from model_gateway.providers.simulated.shape import Shape

_TYPES = {"string": str, "integer": int}
_QUALIFIED = 3
_REFERS = frozenset({"id", "uuid", "guid", "name", "title"})


@dataclass(frozen=True, kw_only=True)
class Binding:
    """A list with one item for each of certain objects of the material, in their order."""

    property: str
    values: tuple[Any, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The values that a field may take, each with its object."""

    values: tuple[Any, ...] = ()
    records: tuple[Record, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values)


class References:
    """Looks up the identifiers of a schema in the objects of the material.

    `named` are quotes in the prompt outside the material: where some of them are among the
    candidate values, only these are meant.
    """

    def __init__(self, records: Records, named: Iterable[str] = ()) -> None:
        self._records = records
        self._named = frozenset(named)
        self._cache: dict[tuple[str, str], Reference] = {}

    def binding(self, array: Shape) -> Binding | None:
        """Return the objects that the items of `array` are about, or None when they are new."""
        item = array.items
        if item is None or item.kind != "object":
            return None
        for node in item.properties:
            if node.kind not in _TYPES:
                continue
            reference = self._binding_values(node, item, array)
            if reference:
                return Binding(
                    property=node.name, values=reference.values, records=reference.records
                )
        return None

    def _binding_values(self, node: Shape, item: Shape, array: Shape) -> Reference:
        parts = kinds.parts_of(node.name)
        reference = self.find(node.name, node.kind)
        if not reference or kinds.is_id(node.name):
            bare = parts == ("id",)
            return self._annotated(reference, item, array) if bare else reference
        if parts[-1] in _REFERS and len(parts) > 1:
            return reference if _annotates(item, reference.records) else Reference()
        if kinds.is_number(node.name) and node.kind == "integer":
            return reference if _annotates(item, reference.records) else Reference()
        return Reference()

    def _annotated(self, reference: Reference, item: Shape, array: Shape) -> Reference:
        """A bare `id` refers only where the list has its group's name, or creates nothing new."""
        akin = [r for part in kinds.parts_of(array.name) for r in self._records.in_group(part)]
        names = {id(r) for r in akin}
        near = [
            (v, r)
            for v, r in zip(reference.values, reference.records, strict=True)
            if id(r) in names
        ]
        if near:
            return Reference(values=tuple(v for v, _ in near), records=tuple(r for _, r in near))
        return Reference() if any(kinds.is_name(p.name) for p in item.properties) else reference

    def find(self, name: str, kind: str) -> Reference:
        """Return the values that a field called `name` may take.

        The same key comes first, then a key that `name` ends with, then the `id` or `name` of the
        objects in a list named like the word before it. Only a qualified identifier
        (`depends_on_task_id`) may take any `id`.
        """
        if (name, kind) not in self._cache:
            self._cache[name, kind] = self._find(name, kind)
        return self._cache[name, kind]

    def _find(self, name: str, kind: str) -> Reference:
        value_type = _TYPES[kind]
        parts = kinds.parts_of(name)
        keys = [name, *("_".join(parts[i:]) for i in range(1, len(parts) - 1))]
        for key in keys:
            records = self._records.with_key(key, value_type)
            if records and (key == name or parts[-1] in _REFERS):
                return self._distinct(records, key)
        if len(parts) < 2 or parts[-1] not in _REFERS:
            return Reference()
        for stem in reversed(parts[:-1]):
            near = [
                r
                for r in self._records.in_group(stem)
                if type(r.values.get(parts[-1])) is value_type
            ]
            if near:
                return self._distinct(near, parts[-1])
        if len(parts) >= _QUALIFIED and parts[-1] == "id":
            return self._distinct(self._records.with_key("id", value_type), "id")
        return Reference()

    def _distinct(self, records: Sequence[Record], key: str) -> Reference:
        first: dict[Any, Record] = {}
        for record in records:
            first.setdefault(record.values[key], record)
        meant = {v: r for v, r in first.items() if v in self._named} or first
        return Reference(values=tuple(meant), records=tuple(meant.values()))

    @property
    def first_date(self) -> date | None:
        """The first date in the material, from which a plan's schedule counts."""
        return self._records.first_date

    def keys_of(self, node: Shape) -> dict[str, Record]:
        """Return the names that the keys of the map `node` may take, with their objects."""
        stems = kinds.parts_of(node.name)[:-1]
        for stem in stems:
            near = [r for r in self._records.in_group(stem) if r.name]
            keyed = [
                r for r in self._records.records
                if any(key in r.values for key in (f"{stem}_name", f"{stem}_id")) and r.name
            ]  # fmt: skip
            for records in (near, keyed):
                if records:
                    return {r.name: r for r in records}
        named = [r for r in self._records.records if r.name and r.choices]
        return {r.name: r for r in named}


def _annotates(item: Shape, records: Sequence[Record]) -> bool:
    """Whether `item` adds facts to existing objects; otherwise it creates more of them."""
    fields = {p.name for p in item.properties}
    keys = {key for record in records for key in record.values}
    return bool(fields - keys) and bool(keys - fields)
