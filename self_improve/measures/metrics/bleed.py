"""Share of items in which one field mostly repeats other fields.

Unit: share of items. Range: 0 to 1, lower is better. The first field of the use counts as bled
into when at least `least` of its different character 4-grams occur in the other fields of the
use. Undefined without items that have a text in the first field and in another.
Source: containment after Broder 1997; the threshold is from the reference measurements.
"""

from __future__ import annotations

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting, whole_texts
from self_improve.measures.subject import Subject, Units
from self_improve.measures.text_groups import contained
from self_improve.measures.tokens import Numbers

UNIT, RANGE = "share of items", (0.0, 1.0)
PARAMETERS = {"least": 0.6}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of items whose first field repeats the others."""
    first = subject.units(use.fields[:1])
    others = [subject.units((name,)) for name in use.fields[1:]]
    have = {unit.item for unit in first.all} & {u.item for units in others for u in units.all}
    if not have:
        return None
    packed = _packed(first)
    repeated = np.zeros(len(packed), bool)
    for units in others:
        repeated |= contained(packed, _packed(units))
    count = len(subject.items)
    sizes = np.bincount(_items(packed), minlength=count)
    shared = np.bincount(_items(packed[repeated]), minlength=count)
    least = setting(use, PARAMETERS, "least")
    bled = set(np.nonzero((sizes > 0) & (shared >= least * sizes))[0].tolist()) & have
    numbers = [number for number, unit in enumerate(first.all) if unit.item in bled]
    return Measurement(
        len(bled) / len(have), lambda: whole_texts(first, numbers, "said in other fields")
    )


def _packed(units: Units) -> Numbers:
    """Return the n-grams of each item, as n-gram and item in one number, sorted."""
    items = np.array([unit.item for unit in units.all], np.uint64)
    grams = units.group.characters
    return grams.hashes.astype(np.uint64) << np.uint64(32) | items[grams.owners]


def _items(packed: Numbers) -> Numbers:
    items: Numbers = (packed & np.uint64(0xFFFFFFFF)).astype(np.int64)
    return items
