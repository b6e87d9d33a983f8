"""How far the outputs are written in the scripts of the plan.

Unit: overlap of the shares of scripts among letters. Range: 0 to 1, higher is better: 1 for the
same mix of scripts, near 0 for Latin letters on a Japanese plan. Undefined without letters on
either side.
Source: one minus the total variation distance of the two histograms; scripts are those of
Unicode.
"""

from __future__ import annotations

from rubrics.rubric import MetricUse
from self_improve.measures.metric import Measurement, Span
from self_improve.measures.subject import Subject
from self_improve.measures.tokens import main_script, scripts

UNIT, RANGE = "overlap", (0.0, 1.0)


def measure(subject: Subject, use: MetricUse) -> Measurement | None:
    """Return the overlap of the scripts of outputs and plan."""
    units = subject.units(use.fields)
    plan, outputs = subject.input.scripts, units.group.scripts
    if not plan or not outputs:
        return None
    value = sum(min(share, plan.get(name, 0.0)) for name, share in outputs.items())
    main = main_script(plan)
    return Measurement(
        min(value, 1.0),
        lambda: (
            Span.whole(unit.where, unit.text.string)
            for unit in units.all
            if main_script(scripts(unit.text.string)) not in {None, main}
        ),
    )
