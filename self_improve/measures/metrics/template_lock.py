"""Share of a cell's 4-grams of tokens that occur in three or more plans of the same run.

Unit: share of n-grams, each counted as often as it occurs. Range: 0 to 1, lower is better. Plans
have little in common but what the prompt put there, so this is the best measure of a form that is
filled in. An n-gram has `tokens` tokens. Undefined in a run of fewer than `plans` plans, and
without n-grams.
Source: the reference measurements (template across plans: .09 while a format was mandated, .034
and .02 afterwards).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Span, gram_spans, setting
from self_improve.measures.subject import Subject
from self_improve.measures.text_groups import contained, distinct
from self_improve.measures.tokens import Numbers

UNIT, RANGE = "share of n-grams", (0.0, 1.0)
PARAMETERS = {"plans": 3, "tokens": 4}


def gather(subject: Subject, use: MetricUse) -> Numbers:
    """Return the n-grams of a cell."""
    return subject.units(use.fields).group.grams(setting(use, PARAMETERS, "tokens")).hashes


def across(
    plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse
) -> Sequence[float | None]:
    """Return each cell's share of n-grams that three or more plans have."""
    common = _common(plans, gathered, use)
    if common is None:
        return [None] * len(plans)
    return [float(contained(grams, common).mean()) if len(grams) else None for grams in gathered]


def spans(
    subject: Subject, plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse
) -> Iterator[Span]:
    """Yield the n-grams of a cell that three or more plans have."""
    common, size = _common(plans, gathered, use), setting(use, PARAMETERS, "tokens")
    units = subject.units(use.fields)
    grams = units.group.grams(size)
    if common is None:
        return
    indexes = np.nonzero(contained(grams.hashes, common))[0].tolist()
    yield from gram_spans(units, grams, size, indexes)


def _common(plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse) -> Numbers | None:
    """Return the n-grams of three or more plans, sorted; None where there are fewer plans."""
    by_plan: defaultdict[str, list[Numbers]] = defaultdict(list)
    for plan, grams in zip(plans, gathered, strict=True):
        by_plan[plan].append(grams)
    least = setting(use, PARAMETERS, "plans")
    if len(by_plan) < least:
        return None
    kinds = [distinct(np.concatenate(grams)) for grams in by_plan.values()]
    every, counts = np.unique(np.concatenate(kinds), return_counts=True)
    common: Numbers = every[counts >= least]
    return common
