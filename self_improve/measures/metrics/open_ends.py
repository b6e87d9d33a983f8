"""How many fewer texts end with a mark than in the baseline plan: all of them may break off.

Unit: share of texts; the mean over fields. Range: 0 to 1, lower is better. A mark is what closes a
sentence or a bracket in any script. `truncation` sees texts that break off beside others that do
not; where all break off, only the comparison shows it. Fields of which less than `least` end with a
mark in the baseline plan are left out. Undefined where there is no other field, or no baseline
plan.
Source: ours; the marks are Unicode's general categories.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.measured import MeasuredCell, form_key
from self_improve.measures.metric import setting

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"least": 0.6}


def between(before: MeasuredCell, after: MeasuredCell, use: MetricUse) -> float | None:
    """Return how far the share of texts that end with a mark has fallen."""
    least = setting(use, PARAMETERS, "least")
    falls = [
        max(before.closed[name] - after.closed[name], 0.0)
        for name in (form_key(field, use.of) for field in use.fields or ("",))
        if name in before.closed and name in after.closed and before.closed[name] >= least
    ]
    return sum(falls) / len(falls) if falls else None
