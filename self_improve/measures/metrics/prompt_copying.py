"""Share of 4-grams of tokens that are in the prompt and not in what was sent of the plan.

Unit: share of n-grams, each counted as often as it occurs. Range: 0 to 1, lower is better. It shows
examples of the prompt that the model returns. An n-gram has `tokens` tokens. Undefined without
n-grams, and where the record does not hold the prompt.
Source: the recorded figures ("token n-gram shared with the system prompt and absent from the user
prompt").
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, gram_spans, setting
from self_improve.measures.subject import Material, Subject
from self_improve.measures.text_groups import contained
from self_improve.measures.tokens import Numbers

UNIT, RANGE = "share of n-grams", (0.0, 1.0)
PARAMETERS = {"tokens": 4}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of n-grams that can only come from the prompt."""
    size = setting(use, PARAMETERS, "tokens")
    units = subject.units(use.fields)
    grams = units.group.grams(size)
    if not subject.prompt.string or not len(grams.hashes):
        return None
    copied = contained(grams.hashes, _only_in(subject.prompt, subject.input, size))

    indexes = np.nonzero(copied)[0].tolist()
    return Measurement(float(copied.mean()), lambda: gram_spans(units, grams, size, indexes))


@lru_cache(maxsize=64)
def _only_in(prompt: Material, plan: Material, size: int) -> Numbers:
    """Return the n-grams of the prompt that the plan's text does not have."""
    grams = prompt.grams(size)
    rest: Numbers = grams[~contained(grams, plan.grams(size))]
    return rest
