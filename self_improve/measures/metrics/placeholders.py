"""Share of texts in which something in brackets was left to be filled in.

Unit: share of texts. Range: 0 to 1, lower is better. By form alone: 2 to 80 characters with a
letter among them between square, lenticular, tortoise-shell, curly or double angle brackets of
any script, unless a link follows or they are a number, and between `<` and `>` unless that is a
tag. Undefined without texts.
Source: the reference measurements (contract: placeholders of 2 to 80 characters).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span
from self_improve.measures.subject import Subject, Unit

UNIT, RANGE = "share of texts", (0.0, 1.0)

_PAIRS = (
    "[]",
    "\uff3b\uff3d",
    "【】",
    "〔〕",
    "〖〗",
    "〘〙",
    "\u27e6\u27e7",
    "{}",
    "\uff5b\uff5d",
    "⟨⟩",
)
# A tag has no blank, no letter beyond ASCII and nothing but lower case before its attributes.
_ANGLES = r"<(?![a-z/!?][a-z0-9]*[\s/>])(?=[^<>]*?[^\W\d_])(?!\s)[^<>\n=]{2,80}(?<!\s)>"


def _inside(opening: str, closing: str) -> str:
    a, b = re.escape(opening), re.escape(closing)
    return rf"{a}(?=[^{a}{b}]*?[^\W\d_])[^{a}{b}\n]{{2,80}}{b}(?!\()"


_PLACEHOLDER = re.compile("|".join((*(_inside(*pair) for pair in _PAIRS), _ANGLES)))
_OPENING = (*(pair[0] for pair in _PAIRS), "<")


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of texts with a placeholder."""
    units = subject.units(use.fields)
    if not len(units):
        return None
    every = units.group.joined
    units_with: list[Unit] = []
    if any(sign in every for sign in _OPENING):
        units_with = [unit for unit in units.all if _PLACEHOLDER.search(unit.text.string)]
    return Measurement(len(units_with) / len(units), lambda: _spans(units_with))


def _spans(units: list[Unit]) -> Iterator[Span]:
    for unit in units:
        for match in _PLACEHOLDER.finditer(unit.text.string):
            yield Span(
                where=unit.where, text=unit.text.string, start=match.start(), end=match.end()
            )
