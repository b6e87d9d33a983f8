"""Share of lists that do not have exactly as many entries as the step asks for.

Unit: share of lists over all items. Range: 0 to 1, lower is better. The lengths are the rubric's
`quantity.counts`, or `length` for every field of the use. An item without the list counts as
wrong. Undefined without items or lengths.
Source: the reference measurements (contract: wrong option count).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.subject import Subject
from self_improve.records import json_paths

UNIT, RANGE = "share of lists", (0.0, 1.0)
PARAMETERS = {"length": 0}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of lists of the wrong length."""
    length, counts = setting(use, PARAMETERS, "length"), subject.rubric.quantity.counts
    expected = {name: length or counts.get(name, 0) for name in use.fields or counts}
    if not expected or not subject.items:
        return None
    wrong = []
    for number, item in enumerate(subject.items):
        for name, right in expected.items():
            count = len(json_paths.items_at(item.value, name))
            if count != right:
                wrong.append((f"[{number}].{name}", f"{count} in place of {right}"))
    return Measurement(len(wrong) / (len(expected) * len(subject.items)), lambda: _spans(wrong))


def _spans(wrong: Sequence[tuple[str, str]]) -> Iterator[Span]:
    for where, text in wrong:
        yield Span.whole(where, text)
