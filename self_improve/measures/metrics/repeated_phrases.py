"""Share of items with a text that says much of what it says twice or more, or in a loop.

Unit: share of items. Range: 0 to 1, lower is better. An item counts when in one of its texts at
least `least` of the n-grams of `tokens` tokens occurred there before: half of them do where all is
said twice, nearly all where one phrase is said again and again. Texts of less than `short` n-grams
do not count. Undefined without items that have texts.
Source: ours, after distinct-n (Li et al. 2016, "A diversity-promoting objective function").
"""

from __future__ import annotations

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting, whole_texts
from self_improve.measures.subject import Subject

UNIT, RANGE = "share of items", (0.0, 1.0)
PARAMETERS = {"least": 0.3, "tokens": 3, "short": 4}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the share of items that repeat themselves."""
    units = subject.units(use.fields)
    grams = units.group.grams(setting(use, PARAMETERS, "tokens"))
    every = np.bincount(grams.owners, minlength=len(units))
    order = np.lexsort((grams.hashes, grams.owners))
    hashes, owners = grams.hashes[order], grams.owners[order]
    again = (hashes[1:] == hashes[:-1]) & (owners[1:] == owners[:-1])
    repeated = np.bincount(owners[1:][again], minlength=len(units))
    least, short = setting(use, PARAMETERS, "least"), setting(use, PARAMETERS, "short")
    looping = np.nonzero((every >= short) & (repeated >= least * every))[0].tolist()
    items = {unit.item for unit in units.all}
    if not items:
        return None
    return Measurement(
        len({units.all[number].item for number in looping}) / len(items),
        lambda: whole_texts(units, looping, "said again"),
    )
