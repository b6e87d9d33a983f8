"""Share of texts that begin with a label of the prompt or the schema ("Option A: …", "选项 1: …").

Unit: share of texts. Range: 0 to 1, lower is better. By form alone, in any script: texts that
belong together (the entries of one list; of a field without lists, those of all items) begin with
up to `words` tokens before a colon, a full stop or a closing bracket, and these are equal in at
least two of the texts, or differ in one short token only, as counters do. A counter alone ("1.",
"a)", "①") counts as well. Undefined without texts.
Source: ours, after the constraint that options carry no labels.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.subject import Subject, Unit, Units
from self_improve.measures.tokens import tokens

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"words": 3}

_PREFIX = re.compile(
    r"\s{0,8}[\W_]{0,3}?(\w[^\n:：﹕.．。、)）\]】]{0,30}?)\s{0,8}([:：﹕)）\]】、]|[.．](?=\s))"
)
_LONGEST, _ENDS = 52, frozenset(":：﹕)）]】、.．")
# A counter is shorter than words; beside a word it may be spelled out.
_COUNTER, _COUNTER_BESIDE_A_WORD = 3, 5


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of texts with a leaked label."""
    units = subject.units(use.fields)
    if not len(units):
        return None
    most = setting(use, PARAMETERS, "words")
    labels = [hit for texts in _together(units) for hit in _labelled(texts, most)]
    return Measurement(len(labels) / len(units), lambda: _spans(labels))


def _together(units: Units) -> Iterator[list[Unit]]:
    """Yield the texts that belong together."""
    by_field: defaultdict[str, list[Unit]] = defaultdict(list)
    for unit in units.all:
        by_field[unit.field].append(unit)
    for texts in by_field.values():
        if not any(unit.position for unit in texts):
            yield texts
            continue
        by_item: defaultdict[int, list[Unit]] = defaultdict(list)
        for unit in texts:
            by_item[unit.item].append(unit)
        yield from by_item.values()


def _labelled(texts: Sequence[Unit], most: int) -> list[tuple[Unit, int]]:
    """Return the texts that begin with a label, and where it ends."""
    prefixes = []
    for unit in texts:
        beginning = unit.text.string[:_LONGEST]
        # Few texts have the end of a label there, and this check is faster.
        match = None if _ENDS.isdisjoint(beginning) else _PREFIX.match(unit.text.string)
        if match is None:
            continue
        words = tuple(tokens(match[1]))
        if 1 <= len(words) <= most + (2 if len(match[1]) == len(words) else 0):
            prefixes.append((unit, match.end(), words))
    if len(prefixes) < 2:
        return []
    return [
        (unit, end)
        for number, (unit, end, words) in enumerate(prefixes)
        if any(_alike(words, other[2]) for n, other in enumerate(prefixes) if n != number)
    ]


def _alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether two beginnings are one label, except for the counter in it."""
    if len(one) != len(other):
        return False
    differing = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    if not differing:
        return True
    longest = _COUNTER if len(one) == 1 else _COUNTER_BESIDE_A_WORD
    return len(differing) == 1 and all(len(word) <= longest for word in differing[0])


def _spans(labels: Sequence[tuple[Unit, int]]) -> Iterator[Span]:
    for unit, end in labels:
        yield Span(where=unit.where, text=unit.text.string, start=0, end=end)
