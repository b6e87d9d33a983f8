"""Share of items whose name another item before it has: one minus distinct names per item.

Unit: share of items. Range: 0 to 1, lower is better. Names are compared by their tokens, so that
case, width and signs make no difference. The field is the use's, or the rubric's `name_field`.
Undefined below two names.
Source: the reference measurements (name uniqueness).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured, share
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of items", (0.0, 1.0)


def measure(subject: Subject, use: MetricUse) -> Measured | None:
    """Return the share of names that came before."""
    units = subject.units(use.fields or (subject.rubric.name_field,))
    if len(units) < 2:
        return None
    known: set[str] = set()
    repeated = []
    for number, unit in enumerate(units.all):
        name = unit.text.name or unit.text.folded
        if name in known:
            repeated.append(number)
        known.add(name)
    return share(units, repeated, "this name came before")
