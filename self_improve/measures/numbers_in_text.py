"""Numbers in texts of any script, and whether the plan contains them too."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from self_improve.measures.metric import Measurement, Span
from self_improve.measures.subject import Subject, Unit

_MARKS = r".,\uff0c\uff0e\u066b\u066c'\u2019\u00a0\u202f"
_BLANKS = " \u00a0\u202f"
_PERCENT = frozenset("%\u066a\ufe6a\uff05")
_NUMBER = re.compile(rf"\d+(?:[{_MARKS}]\d+)*")
_ASCII_NUMBER = re.compile(r"[0-9]+(?:[.,'][0-9]+)*")
_MARK = re.compile(f"[{_MARKS}]")


class Number(NamedTuple):
    """One number in a text: what it may mean, and where it is."""

    readings: frozenset[str]
    percent: bool
    start: int
    end: int


@lru_cache(maxsize=2048)
def numbers(text: str) -> tuple[Number, ...]:
    """Return the numbers in `text`, in order; a percent sign may be on either side of one."""
    pattern = _NUMBER
    if text.isascii():
        # Most texts have none, and this is faster than the pattern.
        if not any(map(text.__contains__, "0123456789")):
            return ()
        pattern = _ASCII_NUMBER
    return tuple(_number(text, *match.span()) for match in pattern.finditer(text))


def _number(text: str, start: int, end: int) -> Number:
    # There may be one blank between them.
    behind = text[end : end + 2].lstrip(_BLANKS)[:1]
    before = text[max(start - 2, 0) : start].rstrip(_BLANKS)[-1:]
    percent = behind in _PERCENT or before in _PERCENT
    return Number(_readings(text[start:end]), percent, start, end)


@lru_cache(maxsize=4096)
def _readings(number: str) -> frozenset[str]:
    """Return what a number may mean: marks between digits group thousands or begin decimals."""
    plain = "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in number)
    parts = _MARK.split(plain)
    if len(parts) == 1:
        return frozenset({_whole(plain)})
    meanings = set()
    if all(len(part) == 3 for part in parts[1:]):
        meanings.add(_whole("".join(parts)))
    decimals = parts[-1].rstrip("0")
    whole = _whole("".join(parts[:-1]))
    if len(parts) == 2 or all(len(part) == 3 for part in parts[1:-1]):
        meanings.add(f"{whole}.{decimals}" if decimals else whole)
    return frozenset(meanings or {plain})


def _whole(digits: str) -> str:
    return digits.lstrip("0") or "0"


@lru_cache(maxsize=24)
def _readings_in(text: str) -> frozenset[str]:
    return frozenset(reading for number in numbers(text) for reading in number.readings)


def ungrounded(
    subject: Subject, fields: Sequence[str], *, percent: bool, least: int = 0
) -> Measurement | None:
    """Return how many numbers an item has that the input has not; only those with a percent sign.

    Whole numbers under `least` are left out. None without items or input.
    """
    if not subject.items or not subject.input.string:
        return None
    plan = _readings_in(subject.input.string)
    missing = [
        (unit, number)
        for unit in subject.units(fields).all
        for number in numbers(unit.text.string)
        if (number.percent or not percent)
        and not number.readings & plan
        and not (least and _is_small(number.readings, least))
    ]
    return Measurement(len(missing) / len(subject.items), lambda: _spans(missing))


def _is_small(readings: frozenset[str], least: int) -> bool:
    return any(r.isdigit() and len(r) < 10 and int(r) < least for r in readings)


def _spans(missing: Sequence[tuple[Unit, Number]]) -> Iterator[Span]:
    for unit, number in missing:
        yield Span(where=unit.where, text=unit.text.string, start=number.start, end=number.end)
