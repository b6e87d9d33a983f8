"""Tokens that the cell's attempts received, thinking included: a cost, not a quality.

Unit: tokens. Range: 0 and up, lower is better. Undefined where the record does not tell.
Source: the cell's row.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured
from self_improve.measures.subject import Subject

UNIT, RANGE = "tokens", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measured | None:  # noqa: ARG001 - the Protocol's
    """Return the tokens that were received."""
    found = subject.facts.get("output_tokens")
    return None if found is None else Measured(found)
