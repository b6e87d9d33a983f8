"""Numbers per item that do not occur in what was sent of the plan.

Unit: numbers per item. Range: 0 and up, lower is better. Digits of any script; whole numbers
under `least` are left out, because they count things and number lists. Undefined without items,
and where the record does not hold the input.
Source: the reference measurements (ungrounded), without the percent sign.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting
from self_improve.measures.numbers_in_text import ungrounded
from self_improve.measures.subject import Subject

UNIT, RANGE = "numbers per item", (0.0, float("inf"))
PARAMETERS = {"least": 10}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the number of ungrounded numbers per item."""
    return ungrounded(subject, use.fields, percent=False, least=setting(use, PARAMETERS, "least"))
