"""Items after over items before, of one cell on two sides.

Unit: ratio. Range: 0 and up. Below the rubric's `gates.collapse` the cell has collapsed.
Undefined where a side failed or has no items.
Source: the reference measurements (collapse below .40 in a cell that succeeded on both sides).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.measured import MeasuredCell

UNIT, RANGE = "ratio", (0.0, float("inf"))


def between(before: MeasuredCell, after: MeasuredCell, use: MetricUse) -> float | None:  # noqa: ARG001 - the Protocol's
    """Return the ratio of items."""
    if not before.items or after.items is None:
        return None
    return after.items / before.items
