"""US dollars that the cell's attempts cost: a cost, not a quality.

Unit: US dollars. Range: 0 and up, lower is better. Undefined where the record does not tell.
Source: the cell's row.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured
from self_improve.measures.subject import Subject

UNIT, RANGE = "US dollars", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measured | None:  # noqa: ARG001 - the Protocol's
    """Return the dollars."""
    found = subject.facts.get("cost")
    return None if found is None else Measured(found)
