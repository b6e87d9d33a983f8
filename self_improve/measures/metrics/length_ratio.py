"""How much longer or shorter the texts are than those of the baseline plan, beyond what is fair.

Unit: natural logarithm of the ratio of lengths, beyond the nearer bound; the mean over fields.
Range: 0 and up, lower is better: 0 between `low` and `high`, .69 at twice the upper bound.
Undefined where the baseline plan is not there or has no text in the fields.
Source: the reference measurements (penalised above 1.5 and below .6).
"""

from __future__ import annotations

import math

from rubrics.rubric import MetricUse
from self_improve.measures.measured import MeasuredCell, form_key
from self_improve.measures.metric import setting

UNIT, RANGE = "log of the ratio, beyond the bounds", (0.0, float("inf"))
PARAMETERS = {"low": 0.6, "high": 1.5}


def between(before: MeasuredCell, after: MeasuredCell, use: MetricUse) -> float | None:
    """Return the penalty for the lengths of `after` against those of `before`."""
    low, high = setting(use, PARAMETERS, "low"), setting(use, PARAMETERS, "high")
    penalties = []
    for name in (form_key(field, use.of) for field in use.fields or ("",)):
        was, now = before.lengths.get(name), after.lengths.get(name)
        if was and now:
            ratio = now / was
            penalties.append(max(math.log(ratio / high), math.log(low / ratio), 0.0))
    return sum(penalties) / len(penalties) if penalties else None
