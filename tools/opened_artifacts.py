"""The artifacts of a step, opened to be damaged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from rubrics.rubric import Rubric, Source
from tools.slots import Slot, is_text, slots_in

UNNUMBERED = re.compile(r"\A\d+(-\d+)*-")
LEAST_PARTS = 3
"""A single object with at least that many texts is damaged text by text, not as a whole."""


Sources = tuple[Source, ...]


def sources_of(rubric: Rubric) -> Sources:
    """Return where the items of a step are: in the cleaned form, then in the replies."""
    return tuple(one for one in (rubric.clean, rubric.replies) if one is not None)


class Artifacts:
    """The artifacts of one plan that a rubric measures, opened to be damaged."""

    def __init__(self, sources: Sources, files: Mapping[str, bytes]) -> None:
        self._sources = sources
        self._values: dict[str, list[Any]] = {
            name: [json.loads(data) if name.endswith(".json") else data.decode().split("\n")]
            for name, data in files.items()
        }
        self._files = files

    def sources(self) -> list[list[Slot]]:
        """Return the items of the cleaned form, and those of the replies if they are others."""
        lists: list[list[Slot]] = []
        seen: set[tuple[int, Any]] = set()
        for source in self._sources:
            slots = [
                slot for slot in self._items(source) if (id(slot.holder), slot.key) not in seen
            ]
            seen |= {(id(slot.holder), slot.key) for slot in slots}
            if slots:
                lists.append(slots)
        return lists

    def _items(self, source: Source) -> Iterator[Slot]:
        pattern = re.compile(re.escape(source.artifact).replace(re.escape("<n>"), r"\d+") + r"\Z")
        bare = UNNUMBERED.sub("", source.artifact)
        for name, box in self._values.items():
            if not pattern.match(name) and name != bare:
                continue
            if not name.endswith(".json"):
                lines = box[0]
                yield from (Slot(lines, n) for n, line in enumerate(lines) if is_text(line))
                continue
            starts = list(_walk(Slot(box, 0), source.replies)) if source.replies else [Slot(box, 0)]
            yield from (
                item
                for start in starts
                for path in source.json_paths
                for item in _walk(start, path)
            )

    @cached_property
    def all_units(self) -> list[list[Slot]]:
        """What is damaged, of each source."""
        return [self.units(slots) for slots in self.sources()]

    @cached_property
    def donors(self) -> list[int]:
        """The number of the unit of each source that says most: the others are made to say it."""
        return [
            max(range(len(units)), key=lambda n: _said(units[n].value), default=0)
            for units in self.all_units
        ]

    def units(self, slots: list[Slot]) -> list[Slot]:
        """Return what is damaged: the items, or the texts of a single one that has several."""
        if len(slots) != 1 or isinstance(slots[0].value, str):
            return slots
        texts = list(slots_in(slots[0].value, slots[0].holder, slots[0].key))
        return texts if len(texts) >= LEAST_PARTS else slots

    def drop(self, slots: Sequence[Slot]) -> None:
        """Remove items from the lists that hold them."""
        for slot in sorted(slots, key=lambda one: -one.key if isinstance(one.key, int) else 0):
            if isinstance(slot.holder, list):
                del slot.holder[slot.key]

    def contents(self) -> dict[str, bytes]:
        """Return the files as they are now."""
        return {
            name: json.dumps(box[0], ensure_ascii=False).encode("utf-8", "surrogatepass")
            if name.endswith(".json")
            else "\n".join(box[0]).encode()
            for name, box in self._values.items()
            if box
        }


def _said(item: Any) -> int:
    return sum(len(text.value) for text in slots_in([item], None, None))


def _walk(slot: Slot, path: str) -> Iterator[Slot]:
    """Yield the slots of everything at a path, as `json_paths.items_at` finds it."""
    level = [slot]
    for part in path.split(".") if path else ():
        key, spreads = part.removesuffix("[]"), part.endswith("[]")
        level = [
            Slot(one.value, key)
            for outer in level
            for one in _spread(outer)
            if isinstance(one.value, dict) and key in one.value
        ]
        if spreads:
            level = [
                Slot(one.value, k) if isinstance(one.value, dict) else one
                for one in level
                for k in (one.value if isinstance(one.value, dict) else (None,))
            ]
    for one in level:
        yield from _spread(one)


def _spread(slot: Slot) -> Iterator[Slot]:
    if isinstance(slot.value, list):
        yield from (Slot(slot.value, n) for n, v in enumerate(slot.value) if v is not None)
    elif slot.value is not None:
        yield slot
