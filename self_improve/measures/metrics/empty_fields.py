"""Share of the fields an item must have that are missing, null, blank or an empty list.

Unit: share of required fields over all items. Range: 0 to 1, lower is better. The fields are the
use's, or the rubric's `quantity.required`. Undefined without items or required fields.
Source: the reference measurements (contract: empty fields).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span
from self_improve.measures.subject import Subject
from self_improve.records import json_paths

UNIT, RANGE = "share of required fields", (0.0, 1.0)


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of required fields that are empty."""
    fields = use.fields or subject.rubric.quantity.required
    if not fields or not subject.items:
        return None
    empty = [
        (number, name)
        for number, item in enumerate(subject.items)
        for name in fields
        if json_paths.are_blank(json_paths.values_at(item.value, name))
    ]
    return Measurement(len(empty) / (len(fields) * len(subject.items)), lambda: _spans(empty))


def _spans(empty: Sequence[tuple[int, str]]) -> Iterator[Span]:
    for number, name in empty:
        yield Span(where=f"[{number}].{name}", text="", start=0, end=0, note="empty")
