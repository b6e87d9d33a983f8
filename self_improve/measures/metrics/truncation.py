"""Share of texts that break off.

Unit: share of texts. Range: 0 to 1, lower is better. By form alone: a text breaks off if it ends
with an ellipsis, a comma, a colon, a dash or an opening bracket, or, where at least half of the
texts of the fields end with a mark that closes a sentence, if it has `words` words or more and
ends with a letter. Undefined without texts.
Source: ours; the marks are Unicode's general categories.
"""

from __future__ import annotations

import unicodedata

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting, share
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of texts", (0.0, 1.0)
PARAMETERS = {"words": 12.0}

_OPEN = frozenset({"Ps", "Pi", "Pd"})
_GOES_ON = ("...", *"…,:،؛、，：")
_CLOSED = frozenset({"Po", "Pe", "Pf"})


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of texts that break off."""
    units = subject.units(use.fields)
    if not len(units):
        return None
    ends = [unit.text.string.rstrip() for unit in units.all]
    kinds = [unicodedata.category(end[-1]) for end in ends]
    least = setting(use, PARAMETERS, "words")
    sentences = 2 * sum(kind in _CLOSED for kind in kinds) >= len(kinds)
    broken = [
        number
        for number, (unit, end, kind) in enumerate(zip(units.all, ends, kinds, strict=True))
        if kind in _OPEN
        or end.endswith(_GOES_ON)
        or (sentences and kind[0] == "L" and unit.text.has_words(least))
    ]
    return share(units, broken, "breaks off")
