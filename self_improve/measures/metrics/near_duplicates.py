"""Share of texts that nearly repeat an earlier text of the same fields.

Unit: share of texts. Range: 0 to 1, lower is better. A text counts when the Jaccard similarity of
its character 4-grams with those of an earlier one reaches `least`. Undefined below two texts.
Source: Broder 1997, "On the resemblance and containment of documents".
"""

from __future__ import annotations

from collections.abc import Iterator

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, setting
from self_improve.measures.similarity import earlier_twins
from self_improve.measures.subject import Subject, Units

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"least": 0.5}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of texts with an earlier twin."""
    units = subject.units(use.fields)
    if len(units) < 2:
        return None
    twins = earlier_twins(units.group.characters, setting(use, PARAMETERS, "least"))
    return Measurement(len(twins) / len(units), lambda: _spans(units, twins))


def _spans(units: Units, twins: dict[int, int]) -> Iterator[Span]:
    for number, twin in twins.items():
        unit, earlier = units.all[number], units.all[twin]
        note = f"like {earlier.where}: {earlier.text.string}"
        yield Span.whole(unit.where, unit.text.string, note)
