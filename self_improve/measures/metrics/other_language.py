"""Share of items that are written in another language, or in another script, than the plan.

Unit: share of items. Range: 0 to 1, lower is better. No language is known: an item counts when its
profile of character 3-grams is less than `least` times as similar to the plan's as passages of the
plan, of the item's length, are to the rest of the plan. Items under `characters` are left out.
Undefined without items, and where the record does not hold the input or holds little of it.
Source: after Cavnar and Trenkle 1994, "N-gram-based text categorization".
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting, whole_texts
from self_improve.measures.subject import Material, Subject
from self_improve.measures.text_groups import counts_of, profiles, unit_rows

UNIT, RANGE = "share of items", (0.0, 1.0)
PARAMETERS = {"least": 0.55, "characters": 24}
_LEAST_INPUT = 100
_PASSAGES = 8


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of items whose letters do not follow each other as in the plan."""
    units, plan = subject.units(use.fields), subject.input
    if len(plan.folded) < _LEAST_INPUT:
        return None
    numbers_of: defaultdict[int, list[int]] = defaultdict(list)
    for number, unit in enumerate(units.all):
        numbers_of[unit.item].append(number)
    least, shortest = setting(use, PARAMETERS, "least"), setting(use, PARAMETERS, "characters")
    items = [
        (numbers, text)
        for numbers in numbers_of.values()
        if len(text := " ".join(units.all[number].text.folded for number in numbers)) >= shortest
    ]
    if not items:
        return None
    similarities = profiles([text for _, text in items]) @ plan.group.profile
    strange = [
        numbers
        for (numbers, text), similarity in zip(items, similarities.tolist(), strict=True)
        if similarity < least * _typical(plan, _rounded(len(text)))
    ]
    return Measurement(
        len(strange) / len(items),
        lambda: whole_texts(units, [n for numbers in strange for n in numbers], "another language"),
    )


def _rounded(length: int) -> int:
    """Return a length rounded down to one of a few, so that passages are compared once for each."""
    steps = (24, 36, 54, 80, 120, 180, 270, 400, 600, 900, 1350, 2000)
    return max((step for step in steps if step <= length), default=steps[0])


@lru_cache(maxsize=512)
def _typical(plan: Material, length: int) -> float:
    """Return how similar passages of the plan of some length are to the rest of it."""
    text = plan.folded
    length = min(length, len(text) // 3)
    starts = np.linspace(0, len(text) - length, _PASSAGES + 1).astype(int).tolist()
    ends = [(start, start + length) for start in starts[:-1]]
    # The rest of the plan is all but the passage with its edges, and what the edges make together.
    edges = [(text[max(start - 2, 0) : start], text[end : end + 2]) for start, end in ends]
    inside = counts_of([text[max(start - 2, 0) : end + 2] for start, end in ends])
    rest = plan.group.counts - inside + counts_of([f"{before} {after}" for before, after in edges])
    each = profiles([text[start:end] for start, end in ends])
    return float(np.median((each * unit_rows(rest)).sum(axis=1)))
