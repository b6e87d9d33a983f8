"""Numbers in texts of any script, and whether the plan holds them too."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from self_improve.measures.metric import Measured, Span
from self_improve.measures.subject import Subject, Unit

_MARKS = r".,\uff0c\uff0e\u066b\u066c'\u2019\u00a0\u202f"
_BLANKS = " \u00a0\u202f"
_PERCENT = frozenset("%\u066a\ufe6a\uff05")
_FIGURE = re.compile(rf"\d+(?:[{_MARKS}]\d+)*")
_ASCII_FIGURE = re.compile(r"[0-9]+(?:[.,'][0-9]+)*")
_MARK = re.compile(f"[{_MARKS}]")


class Figure(NamedTuple):
    """One number in a text: what it may mean, and where it stands."""

    readings: frozenset[str]
    percent: bool
    start: int
    end: int


@lru_cache(maxsize=2048)
def figures(text: str) -> tuple[Figure, ...]:
    """Return the numbers in `text`, in order; a percent sign may stand on either side of one."""
    pattern = _FIGURE
    if text.isascii():
        # Most texts hold none, and this finds it out sooner than a pattern does.
        if not any(map(text.__contains__, "0123456789")):
            return ()
        pattern = _ASCII_FIGURE
    return tuple(_figure(text, *match.span()) for match in pattern.finditer(text))


def _figure(text: str, start: int, end: int) -> Figure:
    # As far as one blank may stand between them.
    behind = text[end : end + 2].lstrip(_BLANKS)[:1]
    before = text[max(start - 2, 0) : start].rstrip(_BLANKS)[-1:]
    percent = behind in _PERCENT or before in _PERCENT
    return Figure(_readings(text[start:end]), percent, start, end)


@lru_cache(maxsize=4096)
def _readings(number: str) -> frozenset[str]:
    """Return what a number may mean: marks between digits group thousands or begin decimals."""
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in number)
    parts = _MARK.split(plain)
    if len(parts) == 1:
        return frozenset({_whole(plain)})
    found = set()
    if all(len(part) == 3 for part in parts[1:]):
        found.add(_whole("".join(parts)))
    decimals = parts[-1].rstrip("0")
    whole = _whole("".join(parts[:-1]))
    if len(parts) == 2 or all(len(part) == 3 for part in parts[1:-1]):
        found.add(f"{whole}.{decimals}" if decimals else whole)
    return frozenset(found or {plain})


def _whole(digits: str) -> str:
    return digits.lstrip("0") or "0"


@lru_cache(maxsize=24)
def _given(text: str) -> frozenset[str]:
    return frozenset(reading for figure in figures(text) for reading in figure.readings)


def ungrounded(
    subject: Subject, fields: Sequence[str], *, percent: bool, least: int = 0
) -> Measured | None:
    """Return how many numbers an item has that the input has not; only those with a percent sign.

    Whole numbers under `least` are left out. None without items or input.
    """
    if not subject.items or not subject.input.string:
        return None
    given = _given(subject.input.string)
    found = [
        (unit, figure)
        for unit in subject.units(fields).all
        for figure in figures(unit.text.string)
        if (figure.percent or not percent)
        and not figure.readings & given
        and not (least and _is_small(figure.readings, least))
    ]
    return Measured(len(found) / len(subject.items), lambda: _shown(found))


def _is_small(readings: frozenset[str], least: int) -> bool:
    return any(r.isdigit() and len(r) < 10 and int(r) < least for r in readings)


def _shown(found: Sequence[tuple[Unit, Figure]]) -> Iterator[Span]:
    for unit, figure in found:
        yield Span(where=unit.where, text=unit.text.string, start=figure.start, end=figure.end)
