"""Items of the cleaned form over the items in the replies.

Unit: share of items. Range: 0 and up; more than 1 where a step adds items of its own. What the
step throws away hides faults of the prompt, and a step that chooses should neither keep all nor
nothing. Undefined without items in the replies.
Source: the reference measurements (kept over input).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of items", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measured | None:  # noqa: ARG001 - the Protocol's
    """Return the share of items that the step kept."""
    if subject.replies is None or not subject.replies.items:
        return None
    return Measured(len(subject.items) / len(subject.replies.items))
