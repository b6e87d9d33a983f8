"""Share of replies that hold fewer or more items than a reply should.

Unit: share of replies. Range: 0 to 1, lower is better. A reply fits with `low` to `high` items,
both inclusive. Undefined without replies.
Source: the owners' constraints ("5 to 7 levers a reply").
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured, Span, setting
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of replies", (0.0, 1.0)
PARAMETERS = {"low": 1, "high": 1_000_000}


def measure(subject: Subject, use: MetricUse) -> Measured | None:
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
    return Measured(len(wrong) / subject.calls, lambda: _shown(wrong))


def _shown(wrong: list[tuple[int, int]]) -> Iterator[Span]:
    for call, count in wrong:
        text = f"{count} items"
        yield Span(where=f"reply {call}", text=text, start=0, end=len(text))
