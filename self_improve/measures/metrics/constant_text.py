"""Share of texts that are all the same: a fallback that was filled in, or a phrase for everything.

Unit: share of texts. Range: 0 to 1, lower is better; 0 when no text comes twice. Undefined below
`least` texts.
Source: the reference measurements (share of one constant justification).
"""

from __future__ import annotations

from collections import defaultdict

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured, marked, setting
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"least": 3}


def measure(subject: Subject, use: MetricUse) -> Measured | None:
    """Return the share of the commonest text."""
    units = subject.units(use.fields)
    if len(units) < setting(use, PARAMETERS, "least"):
        return None
    places: defaultdict[str, list[int]] = defaultdict(list)
    for number, unit in enumerate(units.all):
        places[unit.text.folded].append(number)
    chosen = max(places.values(), key=len)
    value = len(chosen) / len(units) if len(chosen) > 1 else 0.0
    return Measured(value, lambda: marked(units, chosen if value else ()))
