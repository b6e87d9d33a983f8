"""Share of texts that are too short to say anything: labels instead of sentences.

Unit: share of texts. Range: 0 to 1, lower is better. A text is short below `words`, counted so
that scripts without spaces compare (see `tokens.words`). Undefined without texts.
Source: the reference measurements (contract: options under 5 tokens).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting, share
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"words": 5.0}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of texts under the least number of words."""
    units = subject.units(use.fields)
    least = setting(use, PARAMETERS, "words")
    short = [number for number, unit in enumerate(units.all) if not unit.text.has_words(least)]
    return share(units, short, f"under {least:g} words")
