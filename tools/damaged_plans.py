"""The artifacts of plans as cells of runs, with a share of their items damaged."""

from __future__ import annotations

import copy
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from rubrics import load
from rubrics.rubric import Rubric, Source
from self_improve.measures.text_groups import Group, Text
from self_improve.records.json_paths import texts_in
from tools import damages
from tools.damages import Slot, Surroundings
from tools.rubric_table import bundled

_UNNUMBERED = re.compile(r"\A\d+(-\d+)*-")
_MOST_CORPUS = 200_000
LEAST_PARTS = 3
"""A single object with at least that many texts is damaged text by text, not as a whole."""


@cache
def samples() -> Path:
    """Return the directory of the bundled plans, unpacked once a process."""
    # It is a cache of this process, and removed with it.
    folder = tempfile.TemporaryDirectory(prefix="plumbline-samples-")
    _KEPT.append(folder)
    bundled(Path(folder.name))
    return Path(folder.name)


_KEPT: list[tempfile.TemporaryDirectory[str]] = []


@dataclass(frozen=True)
class Plan:
    """One complete plan in a directory."""

    folder: Path

    @property
    def name(self) -> str:
        """Its name."""
        return self.folder.name

    @cached_property
    def text(self) -> str:
        """What the user asked for."""
        path = self.folder / "001-2-plan.txt"
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    @cached_property
    def script(self) -> str | None:
        """The script that it is written in."""
        return damages.written_in(self.text)

    @cached_property
    def letters(self) -> Any:
        """How often each sequence of letters occurs in the plan's text."""
        return Group((Text(self.text),)).profile

    def files(self, artifact: str) -> list[Path]:
        """Return the files that an artifact is in."""
        if "<n>" in artifact:
            pattern = re.compile(re.escape(artifact).replace(re.escape("<n>"), r"(\d+)") + r"\Z")
            files = [(int(m[1]), p) for p in self.folder.iterdir() if (m := pattern.match(p.name))]
            return [path for _, path in sorted(files)]
        for name in (artifact, _UNNUMBERED.sub("", artifact)):
            if (self.folder / name).is_file():
                return [self.folder / name]
        return []

    def names(self, rubric: Rubric) -> dict[str, bytes]:
        """Return the contents of the artifacts that a rubric measures, by file name."""
        return _contents(self, rubric.step)

    def opened(self, rubric: Rubric) -> Artifacts:
        """Return them opened; they are not to be changed."""
        return _opened(self, rubric.step)

    def read(self, rubric: Rubric) -> dict[str, bytes]:
        """Read the artifacts that a rubric measures."""
        sources = [one for one in (rubric.clean, rubric.replies) if one is not None]
        files = [path for source in sources for path in self.files(source.artifact)]
        return {path.name: path.read_bytes() for path in dict.fromkeys(files)}


@lru_cache(maxsize=32)
def _contents(plan: Plan, step: str) -> dict[str, bytes]:
    rubric = load.find(step)
    assert rubric is not None
    return plan.read(rubric)


@lru_cache(maxsize=32)
def _opened(plan: Plan, step: str) -> Artifacts:
    rubric = load.find(step)
    assert rubric is not None
    return Artifacts(rubric, plan.read(rubric))


@cache
def corpus(language_of: Path) -> str:
    """Return the texts of a plan's artifacts in one."""
    parts: list[str] = [Plan(language_of).text]
    for path in sorted(language_of.glob("*.json")):
        try:
            value = json.loads(path.read_bytes())
        except ValueError:
            continue
        if isinstance(value, dict):
            value = {k: v for k, v in value.items() if "prompt" not in k and k != "metadata"}
        parts += [text for text in texts_in(value) if damages.is_text(text) and len(text) > 60]
    return re.sub(r"\s+", " ", " ".join(dict.fromkeys(parts)))[:_MOST_CORPUS]


def foreign_language(plan: Plan) -> str:
    """Return a long text in the script of a plan, in the bundled language least like its own."""
    others = [Plan(path) for path in sorted(samples().iterdir())]
    alike = [other for other in others if other.script == plan.script and other.name != plan.name]
    if not alike or plan.script is None:
        return ""
    furthest = min(alike, key=lambda other: float(np.dot(other.letters, plan.letters)))
    if float(np.dot(furthest.letters, plan.letters)) > _SAME_LANGUAGE:
        return ""
    return corpus(furthest.folder)


_SAME_LANGUAGE = 0.6


class Artifacts:
    """The artifacts of one plan that a rubric measures, opened to be damaged."""

    def __init__(self, rubric: Rubric, files: Mapping[str, bytes]) -> None:
        self._rubric = rubric
        self._values: dict[str, list[Any]] = {
            name: [json.loads(data) if name.endswith(".json") else data.decode().split("\n")]
            for name, data in files.items()
        }
        self._files = files

    def sources(self) -> list[list[Slot]]:
        """Return the items of the cleaned form, and those of the replies if they are others."""
        lists: list[list[Slot]] = []
        seen: set[tuple[int, Any]] = set()
        for source in (self._rubric.clean, self._rubric.replies):
            slots = [
                slot for slot in self._items(source) if (id(slot.holder), slot.key) not in seen
            ]
            seen |= {(id(slot.holder), slot.key) for slot in slots}
            if slots:
                lists.append(slots)
        return lists

    def _items(self, source: Source | None) -> Iterator[Slot]:
        if source is None:
            return
        pattern = re.compile(re.escape(source.artifact).replace(re.escape("<n>"), r"\d+") + r"\Z")
        bare = _UNNUMBERED.sub("", source.artifact)
        for name, box in self._values.items():
            if not pattern.match(name) and name != bare:
                continue
            if not name.endswith(".json"):
                lines = box[0]
                yield from (Slot(lines, n) for n, line in enumerate(lines) if damages.is_text(line))
                continue
            starts = list(_walk(Slot(box, 0), source.replies)) if source.replies else [Slot(box, 0)]
            yield from (
                item
                for start in starts
                for path in source.json_paths
                for item in _walk(start, path)
            )

    def units(self, slots: list[Slot]) -> list[Slot]:
        """Return what is damaged: the items, or the texts of a single one that has several."""
        if len(slots) != 1 or isinstance(slots[0].value, str):
            return slots
        texts = list(damages.slots_in(slots[0].value, slots[0].holder, slots[0].key))
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


def damaged(
    rubric: Rubric,
    plan: Plan,
    foreign: Plan,
    *,
    damage: str,
    share: float,
    draw: str,
) -> tuple[dict[str, bytes], int]:
    """Return a plan's artifacts with a share of their items damaged, and how many were.

    Args:
        rubric: says where the items are.
        plan: has the artifacts.
        foreign: another plan.
        damage: by its name.
        share: of the items.
        draw: a name for the draw of the items; others are drawn under another name.
    """
    mine, theirs = Artifacts(rubric, plan.names(rubric)), foreign.opened(rubric)
    references = [
        path
        for use in rubric.metrics
        if use.metric == "unresolved_references"
        for path in use.fields
    ]
    other_sources = theirs.sources()
    language = foreign_language(plan) if damage == "another language" else ""
    count = 0
    units_of = [mine.units(slots) for slots in mine.sources()]
    for number, units in enumerate(units_of):
        others = theirs.units(other_sources[number]) if number < len(other_sources) else []
        originals = copy.deepcopy([slot.value for slot in units])
        chosen = _chosen(len(units), share, f"{plan.name}/{draw}")
        if damage == damages.LOST_ITEMS:
            lost = [units[n] for n in chosen if isinstance(units[n].holder, list)]
            lost = lost if len(lost) < len(units) else lost[1:]
            mine.drop(lost)
            count += len(lost)
            continue
        for place in chosen:
            kind = damage
            if damage == damages.ONE_MODEL:
                kind = damages.MIXED[place % len(damages.MIXED)]
            around = Surroundings(
                items=originals, number=place, foreign=[slot.value for slot in others],
                corpus=language, references=references,
                chance=damages.chance_of(plan.name, draw, number, place),
            )  # fmt: skip
            count += damages.DAMAGES[kind](units[place], around)
    return mine.contents(), count


def _chosen(count: int, share: float, draw: str) -> list[int]:
    """Draw a share of the items; where it is not a whole number, by chance one more or less."""
    chance = damages.chance_of("items", draw, count)
    exact = share * count
    size = int(exact) + (chance.random() < exact - int(exact))
    return sorted(chance.sample(range(count), min(size, count)))
