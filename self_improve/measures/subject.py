"""What a metric reads: the items of one cell, their texts, and what the model was sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, NamedTuple

from rubrics.rubric import Rubric
from self_improve.measures.text_groups import Group, Pool, Text, distinct
from self_improve.measures.tokens import Numbers
from self_improve.records import json_paths

MOST_TEXTS = 20_000
MOST_CHARACTERS = 2_000_000
_IDENTIFIER = re.compile(r"\w+(?:[-_:/]\w+)+|\w{8,}")
_SIGN = re.compile(r"[^\W_]")
"""The most that is measured of one source of one cell; the rest is left out."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One measured item, and the number of the reply that it came in (0 in the cleaned form)."""

    call: int
    value: Any


class Unit(NamedTuple):
    """One text: the index of its item, the call, the field, and its index in a list there."""

    item: int
    call: int
    field: str
    position: int
    text: Text

    @property
    def where(self) -> str:
        """The JSON path of the text among the items."""
        path = f"[{self.item}]" + (f".{self.field}" if self.field else "")
        return f"{path}[{self.position}]" if self.position else path


@dataclass(frozen=True)
class Units:
    """Texts that are measured together."""

    all: tuple[Unit, ...]
    group: Group

    def __len__(self) -> int:
        return len(self.all)


class Material:
    """A long text that many cells share: part of what the model was sent."""

    def __init__(self, string: str) -> None:
        self.string = string
        self.group = Group((Text(string),))
        self._grams: dict[int, Numbers] = {}

    @property
    def folded(self) -> str:
        """The text without differences of case, width and spacing."""
        return self.group.texts[0].folded

    @cached_property
    def forms(self) -> frozenset[str]:
        """The forms of the identifiers in it; empty names nothing, so a name has the form ""."""
        return forms_in(self.string) | {""}

    @property
    def scripts(self) -> Mapping[str, float]:
        """The share of each script among its letters."""
        return self.group.scripts

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Its different tokens."""
        return frozenset(self.group.texts[0].tokens)

    @cached_property
    def tokens(self) -> Numbers:
        """The same as numbers, sorted."""
        return distinct(self.group.texts[0].ids)

    def grams(self, n: int) -> Numbers:
        """Return the different hashes of its n-grams of tokens, sorted."""
        if n not in self._grams:
            self._grams[n] = distinct(self.group.grams(n).hashes)
        return self._grams[n]


def forms_in(text: str) -> frozenset[str]:
    """Return the forms of the identifiers in a text: how their letters and digits are grouped.

    An identifier has a digit, and at least eight signs or a mark between them.
    """
    identifiers = _IDENTIFIER.findall(text)
    return frozenset(_SIGN.sub("x", one) for one in identifiers if any(map(str.isdigit, one)))


@lru_cache(maxsize=24)
def material(string: str) -> Material:
    """Return the material of a text; that of a run's plans and prompt is created once."""
    return Material(string)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One source of one cell: its cleaned form, its replies, or the cell itself.

    `facts` are the cell's costs by its row (see `MeasuredCell`); `snapshot` is what the step was
    given by the plan's artifacts.
    """

    plan: str
    items: Sequence[Item]
    calls: int
    rubric: Rubric
    input: Material
    prompt: Material
    pool: Pool
    facts: Mapping[str, float | None] = field(default_factory=dict)
    snapshot: Material = field(default_factory=lambda: material(""))
    replies: Subject | None = None
    _units: dict[tuple[str, ...], Units] = field(default_factory=dict, repr=False)
    _columns: dict[str, tuple[tuple[Unit, ...], ...]] = field(default_factory=dict, repr=False)

    def units(self, fields: Sequence[str]) -> Units:
        """Return the texts in these fields that are not blank, item by item; all without fields."""
        key = tuple(fields)
        units = self._units.get(key)
        if units is None:
            columns = [self._column(name) for name in key or ("",)]
            every = tuple(chain.from_iterable(chain.from_iterable(zip(*columns, strict=True))))
            group = self.pool.group([unit.text for unit in every])
            units = self._units[key] = Units(every, group)
        return units

    @property
    def filled(self) -> int:
        """How many items hold most of the required fields; without any, some value at all."""
        required = self.rubric.quantity.required or ("",)
        blank = [
            sum(json_paths.are_blank(json_paths.values_at(item.value, name)) for name in required)
            for item in self.items
        ]
        return sum(2 * count < len(required) for count in blank)

    def _column(self, name: str) -> tuple[tuple[Unit, ...], ...]:
        """Return the texts of one field, by item."""
        if name not in self._columns:
            self._columns[name] = tuple(self._read(name))
        return self._columns[name]

    def _read(self, name: str) -> Iterator[tuple[Unit, ...]]:
        texts, characters = MOST_TEXTS, MOST_CHARACTERS
        for number, item in enumerate(self.items):
            units = []
            for position, string in enumerate(texts_at(item.value, name)):
                texts -= 1
                characters -= len(string)
                if texts >= 0 and characters >= 0 and string and not string.isspace():
                    units.append(Unit(number, item.call, name, position, self.pool.text(string)))
            yield tuple(units)


def texts_at(item: Any, name: str) -> list[str]:
    """Return every text at a field of an item."""
    if isinstance(item, dict) and name in item:
        value = item[name]
        if isinstance(value, str):
            return [value]
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return value
    return [
        text for value in json_paths.items_at(item, name) for text in json_paths.texts_in(value)
    ]
