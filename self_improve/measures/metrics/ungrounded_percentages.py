"""Percentages per item that do not occur in what was sent of the plan.

Unit: percentages per item. Range: 0 and up, lower is better. Digits of any script, with the sign
behind or before the number. Undefined without items, and where the record does not hold the
input.
Source: the reference measurements (ungrounded).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement
from self_improve.measures.numbers_in_text import ungrounded
from self_improve.measures.subject import Subject

UNIT, RANGE = "percentages per item", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the number of ungrounded percentages per item."""
    return ungrounded(subject, use.fields, percent=True)
