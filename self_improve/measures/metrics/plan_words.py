"""How much is said in the plan's own words, which items about something else lack.

Unit: natural logarithm of the share of an item's different tokens that occur in what was sent of
the plan; the mean over items. Range: from -3.9 (none) to 0 (all), higher is better. As a logarithm
it moves alike on a short plan, of which little can be said again, and on a long one. Undefined
without items, and where the record does not hold the input.
Source: ours, after containment (Broder 1997).
"""

from __future__ import annotations

import math
from collections import defaultdict

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span
from self_improve.measures.subject import Subject

_NONE = 0.02
# Without an upper bound, because a text that only repeats the plan is not the best one.
UNIT, RANGE = "log of the share of tokens", (math.log(_NONE), math.inf)


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the mean logarithm of the share of tokens of the plan."""
    vocabulary = subject.input.vocabulary
    if not vocabulary:
        return None
    units = subject.units(use.fields)
    tokens_of: defaultdict[int, set[str]] = defaultdict(set)
    for unit in units.all:
        tokens_of[unit.item].update(unit.text.tokens)
    shares = {
        item: len(tokens & vocabulary) / len(tokens) for item, tokens in tokens_of.items() if tokens
    }
    if not shares:
        return None
    value = sum(math.log(_NONE + (1 - _NONE) * share) for share in shares.values()) / len(shares)
    least = sorted(shares, key=lambda number: shares[number])[:3]
    return Measurement(
        value,
        lambda: (
            Span.whole(unit.where, unit.text.string, f"{shares[unit.item]:.0%} of its words")
            for unit in units.all
            if unit.item in least
        ),
    )
