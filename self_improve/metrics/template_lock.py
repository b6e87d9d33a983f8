"""Share of a cell's 4-grams of tokens that occur in three or more plans of the same run.

Unit: share of n-grams, repeated ones counted as often. Range: 0 to 1, lower is better. Plans have
little in common but what the prompt put there, so this is the best measure of a form that is
filled in. An n-gram has `tokens` tokens. Undefined in a run of fewer than `plans` plans, and
without n-grams.
Source: the reference measurements (template across plans: .09 while a format was mandated, .034
and .02 after it went).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np

from rubrics.rubric import MetricUse
from self_improve import tokens
from self_improve.metric import Measured, Span, setting
from self_improve.subject import Subject, Units
from self_improve.tokens import Numbers

UNIT, RANGE = "share of n-grams", (0.0, 1.0)
PARAMETERS = {"plans": 3, "tokens": 4}


def across(subjects: Sequence[Subject], use: MetricUse) -> Sequence[Measured | None]:
    """Return each cell's share of n-grams that three or more plans have."""
    size, least = setting(use, PARAMETERS, "tokens"), setting(use, PARAMETERS, "plans")
    by_plan: defaultdict[str, list[Numbers]] = defaultdict(list)
    for subject in subjects:
        by_plan[subject.plan].append(subject.units(use.fields).group.grams(size).hashes)
    if len(by_plan) < least:
        return [None] * len(subjects)
    kinds = [np.unique(np.concatenate(grams)) for grams in by_plan.values()]
    every, counts = np.unique(np.concatenate(kinds), return_counts=True)
    common = every[counts >= least]
    return [_measured(subject.units(use.fields), common, size) for subject in subjects]


def _measured(units: Units, common: Numbers, size: int) -> Measured | None:
    grams = units.group.grams(size)
    if not len(grams.hashes):
        return None
    shared = tokens.among(grams.hashes, common)

    def shown() -> Iterator[Span]:
        for place in np.nonzero(shared)[0].tolist():
            unit = units.all[int(grams.owners[place])]
            start, text = int(grams.starts[place]), unit.text.string
            found = tokens.spans(text, start, start + size) or (0, len(text))
            yield Span(where=unit.where, text=text, start=found[0], end=found[1])

    return Measured(float(shared.mean()), shown)
