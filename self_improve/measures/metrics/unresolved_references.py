"""Share of references to something that does not exist.

Unit: share of references. Range: 0 to 1, lower is better. A reference, a text or a number in one
of the fields, resolves if it equals the value at one of the paths `to` in any item of the same
source, or, with `in_input`, if it occurs in what was sent of the plan. Undefined without
references, and with `in_input` where the record does not hold the input.
Source: ours; referential integrity.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.subject import Subject
from self_improve.measures.tokens import folded
from self_improve.records import json_paths

UNIT, RANGE = "share of references", (0.0, 1.0)
PARAMETERS: dict[str, Any] = {"to": [], "in_input": False}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of unresolved references."""
    in_input = setting(use, PARAMETERS, "in_input")
    if in_input and not subject.input.string:
        return None
    references = [
        (f"[{number}].{name}", key)
        for number, item in enumerate(subject.items)
        for name in use.fields
        for key in _keys(item.value, name)
    ]
    if not references:
        return None
    targets = {
        key
        for item in subject.items
        for json_path in setting(use, PARAMETERS, "to")
        for key in _keys(item.value, str(json_path))
    }
    lost = [
        (where, key)
        for where, key in references
        if key not in targets and not (in_input and key in subject.input.folded)
    ]
    return Measurement(len(lost) / len(references), lambda: _spans(lost))


def _keys(item: Any, json_path: str) -> list[str]:
    """Return the texts and numbers at a path, as they are compared."""
    keys = []
    for value in json_paths.items_at(item, json_path):
        if isinstance(value, str) and value.strip():
            keys.append(" ".join(folded(value).split()))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            keys.append(str(value))
    return keys


def _spans(lost: Sequence[tuple[str, str]]) -> Iterator[Span]:
    for where, key in lost:
        yield Span.whole(where, key)
