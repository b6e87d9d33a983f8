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
from self_improve.measures import text_groups, tokens
from self_improve.measures.metric import Span, setting
from self_improve.measures.subject import Subject
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
    return [
        float(text_groups.among(grams, common).mean()) if len(grams) else None for grams in gathered
    ]


def spans(
    subject: Subject, plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse
) -> Iterator[Span]:
    """Yield the n-grams of a cell that three or more plans have."""
    common, size = _common(plans, gathered, use), setting(use, PARAMETERS, "tokens")
    units = subject.units(use.fields)
    grams = units.group.grams(size)
    if common is None:
        return
    for place in np.nonzero(text_groups.among(grams.hashes, common))[0].tolist():
        unit = units.all[int(grams.owners[place])]
        start, text = int(grams.starts[place]), unit.text.string
        found = tokens.spans(text, start, start + size) or (0, len(text))
        yield Span(where=unit.where, text=text, start=found[0], end=found[1])


def _common(plans: Sequence[str], gathered: Sequence[Numbers], use: MetricUse) -> Numbers | None:
    """Return the n-grams of three or more plans, sorted; None where there are fewer plans."""
    by_plan: defaultdict[str, list[Numbers]] = defaultdict(list)
    for plan, grams in zip(plans, gathered, strict=True):
        by_plan[plan].append(grams)
    least = setting(use, PARAMETERS, "plans")
    if len(by_plan) < least:
        return None
    kinds = [text_groups.distinct(np.concatenate(grams)) for grams in by_plan.values()]
    every, counts = np.unique(np.concatenate(kinds), return_counts=True)
    found: Numbers = every[counts >= least]
    return found
