"""The objects that earlier steps named in the material, for replies to refer to."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any

from model_gateway.providers.simulated.kinds import parts_of, singular
from model_gateway.providers.simulated.messages import Block

_DATE = re.compile(r"\b20\d\d-[01]\d-[0-3]\d")
_MOST_VALUES = 20_000
_MOST_STARTS = 60
_LONGEST_LISTED = 12


@dataclass(frozen=True, kw_only=True)
class Record:
    """One JSON object of the material. `groups` are the names of the lists that hold it."""

    values: Mapping[str, Any]
    groups: tuple[str, ...]
    block: int

    @cached_property
    def choices(self) -> Mapping[str, tuple[str, ...]]:
        """The lists of strings that the object holds, such as a lever's options."""
        return {
            key: tuple(value)
            for key, value in self.values.items()
            if isinstance(value, list) and value and all(isinstance(v, str) for v in value)
        }

    @cached_property
    def name(self) -> str:
        """The object's name, or an empty string."""
        for key in sorted(self.values, key=len):
            value = self.values[key]
            if parts_of(key)[-1:] in {("name",), ("title",)} and isinstance(value, str):
                return value
        return ""


@dataclass(frozen=True, kw_only=True)
class Records:
    """All objects of the material in their order, and the lists of plain strings in it.

    `prose` is the material that is not JSON, as (tag, text).
    """

    records: tuple[Record, ...] = ()
    listed: tuple[str, ...] = ()
    prose: tuple[tuple[str, str], ...] = ()
    strings: tuple[str, ...] = field(default=(), repr=False)

    @cached_property
    def first_date(self) -> date | None:
        """The first ISO date in the material."""
        texts = (*self.strings, *(text for _, text in self.prose))
        for match in (_DATE.search(text) for text in texts):
            if match is not None:
                with contextlib.suppress(ValueError):
                    return date.fromisoformat(match[0])
        return None

    def with_key(self, key: str, kind: type) -> list[Record]:
        """Return the objects that have `key` with a value of `kind`, of the last block with any.

        A message has its background first, and last what the step is to work on.
        """
        return _of_last_block([r for r in self.records if type(r.values.get(key)) is kind])

    def in_group(self, stem: str) -> list[Record]:
        """Return the objects of the lists that have this word in their name, of the last block."""
        return _of_last_block(
            [r for r in self.records if any(_akin(stem, group) for group in r.groups)]
        )


def _of_last_block(records: list[Record]) -> list[Record]:
    last = max((r.block for r in records), default=0)
    return [r for r in records if r.block == last]


def _akin(stem: str, group: str) -> bool:
    word = singular(stem)
    return len(word) > 1 and any(word in singular(part) for part in parts_of(group))


def read(blocks: Sequence[Block]) -> Records:
    """Read the objects in the material, from JSON blocks and from JSON inside text."""
    walker = _Walker()
    prose: list[tuple[str, str]] = []
    for number, block in enumerate(blocks):
        rest: list[str] = []
        for value in _values(block.text, rest):
            if block.tag and isinstance(value, list):
                walker.listed.extend(v for v in value if isinstance(v, str) and _is_short(v))
            walker.walk(value, (block.tag,) if block.tag else (), number)
        text = "".join(rest)
        if text.strip():
            prose.append((block.tag, text))
            if block.tag:
                walker.listed.extend(_bullets(text))
    return Records(
        records=tuple(walker.records), listed=tuple(dict.fromkeys(walker.listed)),
        prose=tuple(prose), strings=tuple(walker.strings),
    )  # fmt: skip


class _Walker:
    def __init__(self) -> None:
        self.records: list[Record] = []
        self.listed: list[str] = []
        self.strings: list[str] = []
        self._left = _MOST_VALUES

    def walk(self, value: Any, groups: tuple[str, ...], block: int) -> None:
        self._left -= 1
        if self._left < 0:
            return
        if isinstance(value, str):
            self.strings.append(value)
        elif isinstance(value, Mapping):
            self.records.append(Record(values=value, groups=groups, block=block))
            for key, inner in value.items():
                self.walk(inner, (key,), block)
        elif isinstance(value, list):
            for inner in value:
                self.walk(inner, groups, block)


def _values(text: str, rest: list[str]) -> Iterable[Any]:
    """Yield the JSON values of a block; all else goes to `rest`."""
    stripped = text.strip()
    if stripped[:1] in {"{", "["}:
        try:
            yield json.loads(stripped)
        except (ValueError, RecursionError):
            pass
        else:
            return
    decoder = json.JSONDecoder()
    at = 0
    for _ in range(_MOST_STARTS):
        starts = [p for p in (text.find('{"', at), text.find("[{", at), text.find("{\n", at),
                              text.find("[\n", at), text.find('["', at)) if p >= 0]  # fmt: skip
        if not starts:
            break
        start = min(starts)
        rest.append(text[at:start])
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            rest.append(text[start])
            at = start + 1
            continue
        yield value
    rest.append(text[at:])


def _bullets(text: str) -> list[str]:
    """Return the entries of a block that is nothing but a list of short lines."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not all(line[:1] in {"-", "*", "\u2022"} for line in lines):
        return []
    return [entry for line in lines if _is_short(entry := line[1:].strip())]


def _is_short(text: str) -> bool:
    return len(text.split()) <= _LONGEST_LISTED
