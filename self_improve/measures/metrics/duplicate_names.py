"""Share of items with the name of an earlier item: one minus distinct names per item.

Unit: share of items. Range: 0 to 1, lower is better. Names are compared by their tokens, so that
case, width and signs make no difference. The field is the use's, or the rubric's `name_field`.
Undefined below two names.
Source: the reference measurements (name uniqueness).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, share
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of items", (0.0, 1.0)


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of repeated names."""
    units = subject.units(use.fields or (subject.rubric.name_field,))
    if len(units) < 2:
        return None
    names: set[str] = set()
    repeated = []
    for number, unit in enumerate(units.all):
        name = unit.text.name or unit.text.folded
        if name in names:
            repeated.append(number)
        names.add(name)
    return share(units, repeated, "this name came before")
