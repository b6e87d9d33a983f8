"""Largest share of texts that hold the same 3-gram of tokens.

Unit: share of texts. Range: 0 to 1, lower is better. An n-gram has `tokens` tokens. Undefined
below `least` texts.
Source: the reference measurements (lock within a plan).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span, gram_spans, setting
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"least": 4, "tokens": 3}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
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

    def spans() -> Iterator[Span]:
        # Of several the first one, so that the answer is always the same.
        best = min(int(order[gram == one].min()) for one in np.nonzero(counts == most)[0])
        indexes = np.nonzero(grams.hashes == grams.hashes[best])[0]
        return gram_spans(units, grams, size, indexes.tolist())

    return Measurement(value, spans)
