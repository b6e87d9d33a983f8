"""Share of 4-grams of tokens that stand in the prompt and not in what was told of the plan.

Unit: share of n-grams, repeated ones counted as often. Range: 0 to 1, lower is better. It shows
examples of the prompt that are sent back. An n-gram has `tokens` tokens. Undefined without
n-grams, and where the record does not hold the prompt.
Source: the recorded figures ("token n-gram shared with the system prompt and absent from the user
prompt").
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures import text_groups, tokens
from self_improve.measures.metric import Measured, Span, setting
from self_improve.measures.subject import Material, Subject
from self_improve.measures.tokens import Numbers

UNIT, RANGE = "share of n-grams", (0.0, 1.0)
PARAMETERS = {"tokens": 4}


def measure(subject: Subject, use: MetricUse) -> Measured | None:
    """Return the share of n-grams that can only come from the prompt."""
    size = setting(use, PARAMETERS, "tokens")
    units = subject.units(use.fields)
    grams = units.group.grams(size)
    if not subject.prompt.string or not len(grams.hashes):
        return None
    copied = text_groups.among(grams.hashes, _own(subject.prompt, subject.input, size))

    def shown() -> Iterator[Span]:
        for place in np.nonzero(copied)[0].tolist():
            unit = units.all[int(grams.owners[place])]
            start, text = int(grams.starts[place]), unit.text.string
            found = tokens.spans(text, start, start + size) or (0, len(text))
            yield Span(where=unit.where, text=text, start=found[0], end=found[1])

    return Measured(float(copied.mean()), shown)


@lru_cache(maxsize=64)
def _own(prompt: Material, given: Material, size: int) -> Numbers:
    """Return the n-grams of the prompt that the plan's text has not."""
    grams = prompt.grams(size)
    own: Numbers = grams[~text_groups.among(grams, given.grams(size))]
    return own
