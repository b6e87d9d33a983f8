"""What counts as harm of a change: failures that are due to it, and hard gates that it lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rubrics.rubric import Constraint, Rubric
from self_improve.measures.measured import MeasuredCell

TRIES = 5

Tries = tuple[Counter[str] | None, Counter[str] | None]
"""How often a step failed each thing in TRIES tries: before and after the change. None: not run."""


def split_by_blame(
    failed: Mapping[str, Mapping[str, str]], again: Mapping[str, Tries]
) -> tuple[list[str], list[str]]:
    """Return as lines the failures that are due to the change, and the others.

    A failure is due to the change if it recurs nearly always, and clearly more often than before:
    a gate that fails in 15 % of tries by chance is blamed on the change in about 1 of 80 cases.
    """
    harm: list[str] = []
    as_before: list[str] = []
    for step, failures in failed.items():
        before, after = again.get(step, (None, None))
        for what, message in failures.items():
            due = (
                before is not None
                and after is not None
                and after[what] >= TRIES - 1
                and after[what] - before[what] >= TRIES - 2
            )
            (harm if due else as_before).append(f"{step}: {message}")
    return harm, as_before


def lost_gates(before: MeasuredCell, after: MeasuredCell, rubric: Rubric) -> list[str]:
    """Return the hard gates that the cell before passes and the one after fails."""
    if not before.succeeded:
        return []
    if not after.succeeded:
        return [f"no usable output ({after.failure_kind or 'no items'})"]
    lost = []
    if before.items and after.items is not None:
        share = after.items / before.items
        if share < rubric.gates.collapse:
            lost.append(f"{after.items} items where the stored plan has {before.items}")
    for constraint in rubric.constraints:
        met = (_is_met(before, constraint), _is_met(after, constraint))
        if met == (True, False):
            lost.append(constraint.text)
    return lost


def _is_met(cell: MeasuredCell, constraint: Constraint) -> bool | None:
    """Return whether a cell meets a constraint, or None if the metric is undefined."""
    value = cell.values.get(constraint.metric) if constraint.metric is not None else None
    if value is None:
        return None
    low_ok = constraint.low is None or value >= constraint.low
    return low_ok and (constraint.high is None or value <= constraint.high)
