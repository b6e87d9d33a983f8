"""Items of the cleaned form over the items in the replies.

Unit: share of items. Range: 0 and up; more than 1 where a step adds items itself. Discarded items
hide faults of the prompt, and a step that chooses should keep neither all items nor none. Undefined
without items in the replies.
Source: the reference measurements (kept over input).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of items", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measurement | None:  # noqa: ARG001 - the Protocol's
    """Return the share of items that the step kept."""
    if subject.replies is None or not subject.replies.items:
        return None
    return Measurement(len(subject.items) / len(subject.replies.items))
