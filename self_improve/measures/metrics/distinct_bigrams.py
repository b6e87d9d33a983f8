"""Distinct pairs of neighbouring tokens over all such pairs.

Unit: share of pairs. Range: 0 to 1, higher is better. It falls with the length of the text, so it
is for comparing texts of about one length. Undefined without pairs.
Source: Li et al. 2016, "A diversity-promoting objective function" (distinct-2).
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement
from self_improve.measures.subject import Subject
from self_improve.measures.text_groups import distinct

UNIT, RANGE = "share of pairs", (0.0, 1.0)


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of distinct pairs."""
    hashes = subject.units(use.fields).group.grams(2).hashes
    if not len(hashes):
        return None
    return Measurement(len(distinct(hashes)) / len(hashes))
