"""Defects that a careful reader sees in outputs without knowing how they were produced."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from model_gateway.providers.simulated import words

PLACEHOLDER = re.compile(r"\[[^\[\]\n\"]{2,80}\]")
_OPENER = 3
_REPEATED = 3
_SHORT = 4
_LONG = 6
_ALIKE = 0.5
_GRAM = 4
_MOST_COMPARED = 60
_LONGEST_QUOTE = 160


@dataclass(frozen=True, kw_only=True)
class Passage:
    """One text of the outputs, with its location and field. `listed` says that it is in a list."""

    location: str
    field: str
    text: str
    listed: bool = False


@dataclass(frozen=True, kw_only=True)
class Defect:
    """A defect: its kind as an identifier, the exact span, and how often it was seen."""

    kind: str
    quote: str
    location: str
    field: str
    count: int = 1
    in_prompt: bool = False

    def text(self) -> str:
        """Return the defect as a short statement with the span in quotes."""
        where = f" `{self.field}`" if self.field else ""
        traced = " (in_prompt)" if self.in_prompt else ""
        return f'{self.kind}{where} \u00d7{self.count}: "{self.quote}"{traced}'


def passages(text: str) -> list[Passage]:
    """Return the texts in `text`: the strings of JSON, else its lines."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        lines = [line.strip() for line in text.splitlines()]
        return [
            Passage(location=str(number), field="", text=line)
            for number, line in enumerate(lines, 1)
            if line
        ]
    return list(_strings(value, "", "", listed=False))


def _strings(value: Any, location: str, field: str, *, listed: bool) -> Iterator[Passage]:
    if isinstance(value, str):
        yield Passage(location=location, field=field, text=value, listed=listed)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _strings(inner, f"{location}.{key}".lstrip("."), str(key), listed=False)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _strings(inner, f"{location}[{number}]", field, listed=True)


def percents(text: str) -> set[str]:
    """Return the percentages in `text`, without their signs."""
    return {re.sub(r"[^\d.,]", "", span) for span in words.PERCENT.findall(text)}


def found_in(texts: Sequence[Passage], plan: str) -> list[Defect]:
    """Return the defects of `texts`, the most frequent first.

    `plan` says which figures are real; without one none is called ungrounded.
    """
    seen = [*_openers(texts), *_placeholders(texts), *_short(texts), *_duplicates(texts)]
    if plan:
        seen.extend(_ungrounded(texts, percents(plan)))
    return sorted(seen, key=lambda defect: -defect.count)


def _openers(texts: Iterable[Passage]) -> Iterator[Defect]:
    groups: defaultdict[tuple[str, tuple[str, ...]], list[Passage]] = defaultdict(list)
    for one in texts:
        chunks = words.chunks(one.text)
        if len(chunks) > _LONG:
            groups[one.field, tuple(w.casefold() for w in chunks[:_OPENER])].append(one)
    for (field, _), group in groups.items():
        if len(group) >= _REPEATED:
            first = group[0]
            third = words.chunks(first.text)[_OPENER - 1]
            quote = first.text[: first.text.find(third) + len(third)]
            yield Defect(
                kind="repeated_opener", quote=quote, location=first.location, field=field,
                count=len(group),
            )  # fmt: skip


def _placeholders(texts: Iterable[Passage]) -> Iterator[Defect]:
    for one in texts:
        for span in PLACEHOLDER.findall(one.text):
            yield Defect(kind="placeholder", quote=span, location=one.location, field=one.field)


def _ungrounded(texts: Iterable[Passage], real: set[str]) -> Iterator[Defect]:
    for one in texts:
        for span in words.PERCENT.findall(one.text):
            if re.sub(r"[^\d.,]", "", span) not in real:
                yield Defect(kind="ungrounded", quote=span, location=one.location, field=one.field)


def _short(texts: Iterable[Passage]) -> Iterator[Defect]:
    for one in texts:
        size = words.size(one.text)
        if one.listed and 0 < size <= _SHORT:
            yield Defect(kind="short", quote=one.text, location=one.location, field=one.field)
        elif not one.text.strip():
            yield Defect(kind="empty", quote="", location=one.location, field=one.field)


def _duplicates(texts: Iterable[Passage]) -> Iterator[Defect]:
    groups: defaultdict[str, list[Passage]] = defaultdict(list)
    for one in texts:
        if words.size(one.text) > _LONG:
            groups[one.field].append(one)
    for group in groups.values():
        grams = [grams_of(one.text) for one in group[:_MOST_COMPARED]]
        for at, one in enumerate(group[:_MOST_COMPARED]):
            if any(alike(grams[at], other) >= _ALIKE for other in grams[:at]):
                yield Defect(
                    kind="near_duplicate", quote=one.text[:_LONGEST_QUOTE], location=one.location,
                    field=one.field,
                )  # fmt: skip


def grams_of(text: str) -> frozenset[str]:
    """Return the four-character sequences of `text`, with white space normalised."""
    plain = " ".join(text.casefold().split())
    return frozenset(plain[i : i + _GRAM] for i in range(max(1, len(plain) - _GRAM + 1)))


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """Return the Jaccard similarity of two sets."""
    shared = len(one & other)
    return shared / max(1, len(one) + len(other) - shared)


def rates(texts: Sequence[Passage], seen: Iterable[Defect]) -> dict[str, float]:
    """Return the number of defects per text by kind, and the mean length as `length`."""
    number = max(1, len(texts))
    counts = Counter[str]()
    for defect in seen:
        counts[defect.kind] += defect.count
    rated = {kind: count / number for kind, count in counts.items()}
    return {**rated, "length": sum(words.size(one.text) for one in texts) / number}
