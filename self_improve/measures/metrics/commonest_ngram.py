"""Largest share of texts that hold one same 3-gram of tokens.

Unit: share of texts. Range: 0 to 1, lower is better. An n-gram has `tokens` tokens. Undefined
below `least` texts.
Source: the reference measurements (lock within a plan).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures import text_groups, tokens
from self_improve.measures.metric import Measured, Span, setting
from self_improve.measures.subject import Subject, Units

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"least": 4, "tokens": 3}


def measure(subject: Subject, use: MetricUse) -> Measured | None:
    """Return the share of the texts that hold the commonest n-gram."""
    units = subject.units(use.fields)
    size = setting(use, PARAMETERS, "tokens")
    if len(units) < setting(use, PARAMETERS, "least"):
        return None
    grams = units.group.grams(size)
    if not len(grams.hashes):
        return None
    # Texts come in order, so a stable sort by n-gram keeps the texts of each in order.
    order = np.argsort(grams.hashes, kind="stable")
    hashes, owners = grams.hashes[order], grams.owners[order]
    changed = hashes[1:] != hashes[:-1]
    first = np.concatenate(([True], changed | (owners[1:] != owners[:-1])))
    gram = np.concatenate(([0], np.cumsum(changed)))
    counts = np.bincount(gram[first])
    most = int(counts.max())
    value = most / len(units) if most > 1 else 0.0

    def shown() -> Iterator[Span]:
        # Of several the one that comes first, so that the answer is always the same.
        best = min(int(order[gram == one].min()) for one in np.nonzero(counts == most)[0])
        places = np.nonzero(grams.hashes == grams.hashes[best])[0]
        yield from _shown(units, grams, places.tolist(), size)

    return Measured(value, shown)


def _shown(units: Units, grams: text_groups.Grams, places: list[int], size: int) -> Iterator[Span]:
    for place in places:
        unit = units.all[int(grams.owners[place])]
        start = int(grams.starts[place])
        text = unit.text.string
        found = tokens.spans(text, start, start + size) or (0, len(text))
        yield Span(where=unit.where, text=text, start=found[0], end=found[1])
