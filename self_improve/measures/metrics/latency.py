"""Seconds a call, without waiting for a turn at the model: a cost, not a quality.

Unit: seconds. Range: 0 and up, lower is better. Undefined where the record has no times or no
calls.
Source: the cell's row.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured
from self_improve.measures.subject import Subject

UNIT, RANGE = "seconds a call", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measured | None:  # noqa: ARG001 - the Protocol's
    """Return the seconds a call."""
    seconds, calls = subject.facts.get("seconds"), subject.facts.get("calls")
    return Measured(seconds / calls) if seconds is not None and calls else None
