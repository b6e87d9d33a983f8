"""How evenly a step that classifies uses its classes.

Unit: Shannon entropy over the largest there can be. Range: 0 to 1, higher is better: 0 when all
items are of one class. The largest is that of `classes` classes, or of as many as there are items
if those are fewer. Undefined below two items.
Source: Shannon 1948, "A mathematical theory of communication".
"""

from __future__ import annotations

import math
from collections import Counter

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of the largest entropy", (0.0, 1.0)
PARAMETERS = {"classes": 3}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the entropy of the classes."""
    units = subject.units(use.fields)
    total = len(units)
    most = min(setting(use, PARAMETERS, "classes"), total)
    if most < 2:
        return None
    counts = Counter(unit.text.folded for unit in units.all)
    entropy = -sum(n / total * math.log(n / total) for n in counts.values())
    return Measurement(min(abs(entropy) / math.log(most), 1.0))
