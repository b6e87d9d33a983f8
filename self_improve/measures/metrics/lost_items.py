"""Items that the baseline plan has and the cell lacks, list by list.

Unit: share of the baseline plan's items. Range: 0 and up, lower is better: 0 when no list is
shorter, 1 when all are empty. More items in one list do not make up for those that another lacks.
With `fields` the texts in them are counted in place of items. With `both` more items count like
fewer: that is for a step that chooses. Undefined where the baseline plan is not there or has no
items.
Source: ours, after the reference measurements (collapse).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.measured import MeasuredCell, form_key
from self_improve.measures.metric import setting

UNIT, RANGE = "share of the baseline's items", (0.0, float("inf"))
PARAMETERS = {"both": False}


def between(before: MeasuredCell, after: MeasuredCell, use: MetricUse) -> float | None:
    """Return the share of the items of `before` that are missing in `after`."""
    if not before.succeeded or not after.succeeded:
        return None
    was, now = (
        {n: cell.texts.get(form_key(n, use.of), 0) for n in use.fields}
        if use.fields
        else cell.lists
        for cell in (before, after)
    )
    total = sum(was.values())
    if not total:
        return None
    changes = [now.get(name, 0) - count for name, count in was.items()]
    missing = -sum(change for change in changes if change < 0)
    if setting(use, PARAMETERS, "both"):
        missing += sum(change for change in changes if change > 0)
    return missing / total
