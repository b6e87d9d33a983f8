"""Share of references to something that is not there.

Unit: share of references. Range: 0 to 1, lower is better. A reference, a text or a number in one
of the fields, resolves if it equals what stands at one of the places `to` in any item of the same
source, or, with `in_input`, if it occurs in what was told of the plan. Undefined without
references, and with `in_input` where the record does not hold the input.
Source: ours; referential integrity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured, Span, setting
from self_improve.measures.subject import Subject
from self_improve.measures.tokens import folded
from self_improve.records import json_places

UNIT, RANGE = "share of references", (0.0, 1.0)
PARAMETERS: dict[str, Any] = {"to": [], "in_input": False}


def measure(subject: Subject, use: MetricUse) -> Measured | None:
    """Return the share of references that lead nowhere."""
    told = setting(use, PARAMETERS, "in_input")
    if told and not subject.input.string:
        return None
    references = [
        (f"[{number}].{name}", key)
        for number, item in enumerate(subject.items)
        for name in use.fields
        for key in _keys(item.value, name)
    ]
    if not references:
        return None
    known = {
        key
        for item in subject.items
        for place in setting(use, PARAMETERS, "to")
        for key in _keys(item.value, str(place))
    }
    given = subject.input.folded if told else ""
    lost = [(where, key) for where, key in references if key not in known and key not in given]
    if told:
        return Measured(len(lost) / len(references), lambda: _shown(lost))
    lost = [(where, key) for where, key in references if key not in known]
    return Measured(len(lost) / len(references), lambda: _shown(lost))


def _keys(item: Any, place: str) -> list[str]:
    """Return the texts and numbers at a place, as they are compared."""
    found = []
    for value in json_places.found(item, place):
        if isinstance(value, str) and value.strip():
            found.append(" ".join(folded(value).split()))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found.append(str(value))
    return found


def _shown(lost: Sequence[tuple[str, str]]) -> Iterator[Span]:
    for where, key in lost:
        yield Span(where=where, text=key, start=0, end=len(key))
