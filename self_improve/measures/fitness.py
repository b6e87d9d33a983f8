"""One number for a cell, from 0 to 1, which loops maximise; verdicts do not use it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rubrics.rubric import MetricUse, Rubric
from self_improve.measures.catalogue import catalogue
from self_improve.measures.measured import MeasuredCell

ENOUGH = 0.95
"""From this mean fitness of the baseline on, a search would mostly find noise."""
SATURATION = 10.0
"""At this many scales from the best value, a measure is as bad as it can be."""


def quality(cell: MeasuredCell, rubric: Rubric) -> float | None:
    """Return the weighted mean of how near each measure is to its best value; None if it failed.

    A measure at its best value counts 1, one `SATURATION` scales away counts 0. Like the
    evaluator's composite it is linear in between, but it needs no other side to compare with.
    Measures that are undefined for the cell, or whose best value is unbounded, are left out.
    """
    if not cell.succeeded:
        return None
    parts = [
        (use.weight, near) for use in rubric.metrics if (near := nearness(cell, use)) is not None
    ]
    total = sum(weight for weight, _ in parts)
    return sum(weight * near for weight, near in parts) / total if total else None


def nearness(cell: MeasuredCell, use: MetricUse) -> float | None:
    """Return how near one measure is to its best value, from 0 to 1, if it weighs anything."""
    value = cell.values.get(use.id)
    if value is None or not use.weight:
        return None
    low, high = catalogue()[use.metric].RANGE
    best = low if use.direction == "lower" else high
    if not math.isfinite(best):
        return None
    return max(0.0, 1.0 - abs(value - best) / (SATURATION * use.scale))


def fitness(cell: MeasuredCell, rubric: Rubric, preference: float | None = None) -> float | None:
    """Return quality, latency and preference in the rubric's shares; None if the cell failed.

    Latency counts 1 up to the rubric's seconds a call, and their ratio beyond. What is unknown (a
    preference without a judge, a duration that was not recorded) is left out, and the other
    shares grow.
    """
    good = quality(cell, rubric)
    if good is None:
        return None
    shares = rubric.fitness
    parts = [(shares.quality, good)]
    if cell.seconds is not None and cell.calls:
        each = cell.seconds / cell.calls
        parts.append((shares.latency, min(1.0, shares.seconds_a_call / each) if each else 1.0))
    if preference is not None:
        parts.append((shares.preference, preference))
    total = sum(share for share, _ in parts)
    return sum(share * part for share, part in parts) / total if total else good


def mean(cells: Sequence[MeasuredCell], rubric: Rubric) -> float | None:
    """Return the mean fitness; a failed cell counts 0, so that no loop gains by failing."""
    if not cells:
        return None
    return sum(fitness(cell, rubric) or 0.0 for cell in cells) / len(cells)
