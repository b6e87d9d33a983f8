"""Shortfall of items against the number that is expected of a cell.

Unit: share of the expected number. Range: 0 to 1, lower is better: 0 when enough are there, 1
when none is. With `fields` the texts in them are counted instead of items. The expected number
is `expected`, or the rubric's. Undefined where no number is expected.
Source: the reference measurements (quantity).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of the expected items", (0.0, 1.0)
PARAMETERS = {"expected": 0}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return how much is missing."""
    expected = setting(use, PARAMETERS, "expected") or subject.rubric.quantity.expected
    if not expected:
        return None
    count = len(subject.units(use.fields)) if use.fields else len(subject.items)
    return Measurement(min(max((expected - count) / expected, 0.0), 1.0))
