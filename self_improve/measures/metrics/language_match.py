"""How similar the sequences of letters in outputs and plan are, within one script.

Unit: cosine of the profiles of character 3-grams. Range: 0 to 1, higher is better: a plan in
German that is answered in English scores lower than one that is answered in German. Undefined
where the main script of the plan is written without spaces (there `script_match` suffices), where
the outputs are in another, and for texts under `least` characters.
Source: after Cavnar and Trenkle 1994, "N-gram-based text categorization".
"""

from __future__ import annotations

import numpy as np

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, setting
from self_improve.measures.subject import Subject
from self_improve.measures.tokens import main_script, writes_spaces

UNIT, RANGE = "cosine", (0.0, 1.0)
PARAMETERS = {"least": 200}


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the cosine of the two profiles."""
    group, plan = subject.units(use.fields).group, subject.input
    least = setting(use, PARAMETERS, "least")
    main = main_script(plan.scripts)
    if main is None or not writes_spaces(main) or main_script(group.scripts) != main:
        return None
    if sum(len(text.string) for text in group.texts) < least or len(plan.string) < least:
        return None
    value = float(np.dot(group.profile, plan.group.profile))
    return Measurement(min(max(value, 0.0), 1.0))
