"""Characters of the step's own prompt, without the text of the plan: a cost, not a quality.

Unit: characters. Range: 0 and up, lower is better. Undefined where the record does not tell.
Source: the cell's row.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measured
from self_improve.measures.subject import Subject

UNIT, RANGE = "characters", (0.0, float("inf"))


def measure(subject: Subject, use: MetricUse) -> Measured | None:  # noqa: ARG001 - the Protocol's
    """Return the length of the prompt."""
    found = subject.facts.get("prompt_chars")
    return None if found is None else Measured(found)
