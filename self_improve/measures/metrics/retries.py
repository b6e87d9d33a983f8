"""Attempts beyond the first of each call: a cost, not a quality.

Unit: attempts. Range: 0 and up, lower is better. Undefined where the record does not tell.
Source: the cell's row.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured
from self_improve.measures.subject import Subject

UNIT, RANGE = "attempts", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measured | None:  # noqa: ARG001 - the Protocol's
    """Return the number of retries."""
    attempts, calls = subject.facts.get("attempts"), subject.facts.get("calls")
    return None if attempts is None or calls is None else Measured(max(attempts - calls, 0.0))
