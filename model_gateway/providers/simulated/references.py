"""Which fields of a reply must repeat what the material has named, told by their identifiers."""

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
    """A list whose items answer to things of the material, one item each, in their order."""

    property: str
    values: tuple[Any, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The values that a field may take, each with the object that it stands for."""

    values: tuple[Any, ...] = ()
    records: tuple[Record, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.values)


class References:
    """Looks up the identifiers of a schema in the objects of the material.

    `named` are things quoted in the prompt outside the material: where some of them are among the
    values found, only these are meant.
    """

    def __init__(self, records: Records, named: Iterable[str] = ()) -> None:
        self._records = records
        self._named = frozenset(named)
        self._known: dict[tuple[str, str], Reference] = {}

    def binding(self, array: Shape) -> Binding | None:
        """Return what the items of `array` answer to, or None when they are new things."""
        item = array.items
        if item is None or item.kind != "object":
            return None
        for place in item.properties:
            if place.kind not in _TYPES:
                continue
            found = self._binding_values(place, item, array)
            if found:
                return Binding(property=place.name, values=found.values, records=found.records)
        return None

    def _binding_values(self, place: Shape, item: Shape, array: Shape) -> Reference:
        parts = kinds.parts_of(place.name)
        found = self.find(place.name, place.kind)
        if not found or kinds.is_id(place.name):
            bare = parts == ("id",)
            return self._annotated(found, item, array) if bare else found
        if parts[-1] in _REFERS and len(parts) > 1:
            return found if _tells_of(item, found.records) else Reference()
        if kinds.is_number(place.name) and place.kind == "integer":
            return found if _tells_of(item, found.records) else Reference()
        return Reference()

    def _annotated(self, found: Reference, item: Shape, array: Shape) -> Reference:
        """A bare `id` refers only where the list is called like its group, or makes nothing new."""
        akin = [r for part in kinds.parts_of(array.name) for r in self._records.in_group(part)]
        names = {id(r) for r in akin}
        near = [(v, r) for v, r in zip(found.values, found.records, strict=True) if id(r) in names]
        if near:
            return Reference(values=tuple(v for v, _ in near), records=tuple(r for _, r in near))
        return Reference() if any(kinds.is_name(p.name) for p in item.properties) else found

    def find(self, name: str, kind: str) -> Reference:
        """Return the values that a field called `name` may take.

        The same key comes first, then a key that `name` ends with, then the `id` or `name` of the
        objects in a list that is called like the word before it. Only a qualified identifier
        (`depends_on_task_id`) may take just any `id`.
        """
        if (name, kind) not in self._known:
            self._known[name, kind] = self._find(name, kind)
        return self._known[name, kind]

    def _find(self, name: str, kind: str) -> Reference:
        wanted = _TYPES[kind]
        parts = kinds.parts_of(name)
        keys = [name, *("_".join(parts[i:]) for i in range(1, len(parts) - 1))]
        for key in keys:
            records = self._records.with_key(key, wanted)
            if records and (key == name or parts[-1] in _REFERS):
                return self._distinct(records, key)
        if len(parts) < 2 or parts[-1] not in _REFERS:
            return Reference()
        for stem in reversed(parts[:-1]):
            near = [
                r for r in self._records.in_group(stem) if type(r.values.get(parts[-1])) is wanted
            ]
            if near:
                return self._distinct(near, parts[-1])
        if len(parts) >= _QUALIFIED and parts[-1] == "id":
            return self._distinct(self._records.with_key("id", wanted), "id")
        return Reference()

    def _distinct(self, records: Sequence[Record], key: str) -> Reference:
        first: dict[Any, Record] = {}
        for record in records:
            first.setdefault(record.values[key], record)
        meant = {v: r for v, r in first.items() if v in self._named} or first
        return Reference(values=tuple(meant), records=tuple(meant.values()))

    @property
    def first_date(self) -> date | None:
        """The first date in the material: what a plan's schedule counts from."""
        return self._records.first_date

    def keys_of(self, place: Shape) -> dict[str, Record]:
        """Return the names that the keys of the map `place` may take, with what they name."""
        stems = kinds.parts_of(place.name)[:-1]
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


def _tells_of(item: Shape, records: Sequence[Record]) -> bool:
    """Whether `item` says something new of things that are known: else it makes more of them."""
    told = {p.name for p in item.properties}
    known = {key for record in records for key in record.values}
    return bool(told - known) and bool(known - told)
