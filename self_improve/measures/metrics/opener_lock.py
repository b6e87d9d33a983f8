"""Share of texts that begin with the commonest opening of three tokens.

Unit: share of texts. Range: 0 to 1, lower is better. Texts under three tokens are left out. An
opening has `tokens` tokens. Undefined below `least` texts, where one opening always has a large
share.
Source: the reference measurements (lock within a plan).
"""

from __future__ import annotations

from collections import defaultdict

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting, whole_texts
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"least": 4, "tokens": 3}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of the commonest opening."""
    units = subject.units(use.fields)
    size = setting(use, PARAMETERS, "tokens")
    openings: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for number, unit in enumerate(units.all):
        opening = tuple(unit.text.tokens[:size])
        if len(opening) == size:
            openings[opening].append(number)
    count = sum(map(len, openings.values()))
    if count < setting(use, PARAMETERS, "least"):
        return None
    opening, chosen = max(openings.items(), key=lambda pair: len(pair[1]))
    # A text that begins like no other is not a lock.
    value = len(chosen) / count if len(chosen) > 1 else 0.0
    return Measurement(
        value, lambda: whole_texts(units, chosen, f"begins with: {' '.join(opening)}")
    )
