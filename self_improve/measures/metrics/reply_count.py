"""Share of replies with fewer or more items than a reply should have.

Unit: share of replies. Range: 0 to 1, lower is better. A reply fits with `low` to `high` items,
both inclusive. Undefined without replies.
Source: the owners' constraints ("5 to 7 levers a reply").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of replies", (0.0, 1.0)
PARAMETERS = {"low": 1, "high": 1_000_000}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of replies with too few or too many items."""
    if not subject.calls:
        return None
    low, high = setting(use, PARAMETERS, "low"), setting(use, PARAMETERS, "high")
    counts = Counter(item.call for item in subject.items)
    wrong = [
        (call, counts[call])
        for call in range(1, subject.calls + 1)
        if not low <= counts[call] <= high
    ]
    return Measurement(len(wrong) / subject.calls, lambda: _spans(wrong))


def _spans(wrong: list[tuple[int, int]]) -> Iterator[Span]:
    for call, count in wrong:
        yield Span.whole(f"reply {call}", f"{count} items")
