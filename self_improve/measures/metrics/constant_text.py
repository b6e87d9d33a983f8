"""Share of texts that are all the same: a fallback, or one phrase for everything.

Unit: share of texts. Range: 0 to 1, lower is better; 0 when no text is repeated. Undefined below
`least` texts.
Source: the reference measurements (share of one constant justification).
"""

from __future__ import annotations

from collections import defaultdict

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting, whole_texts
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"least": 3}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of the commonest text."""
    units = subject.units(use.fields)
    if len(units) < setting(use, PARAMETERS, "least"):
        return None
    numbers_of: defaultdict[str, list[int]] = defaultdict(list)
    for number, unit in enumerate(units.all):
        numbers_of[unit.text.folded].append(number)
    chosen = max(numbers_of.values(), key=len)
    value = len(chosen) / len(units) if len(chosen) > 1 else 0.0
    return Measurement(value, lambda: whole_texts(units, chosen if value else ()))
