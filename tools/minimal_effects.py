"""Proposes the minimal effect of each rubric: from measured noise, or else from a stated prior.

`python -m tools.minimal_effects` prints, for every step, how far its composite differs between the
recorded plans. Runs of one prompt differ less than plans do, and were recorded of one step only:
its minimal effect stands to its deviation between plans as that of any other step does, rounded to
.05 and within .15 and .4. Measure the noise of a step that matters to you, and set it by that.
"""

from __future__ import annotations

from statistics import stdev

from rubrics import load
from rubrics.rubric import Rubric
from tools import recorded_comparisons, rubric_table, unpacked

LEAST, MOST, STEP = 0.15, 0.4, 0.05


def deviation(rubric: Rubric) -> float:
    """Return the standard deviation of the composite between the recorded plans."""
    folders = [unpacked.plans(split) for split in ("train", "verify")]
    values = [cell.values for cell in rubric_table.cells(rubric, folders)]
    factors = {
        use.id: (1 if use.direction == "higher" else -1) * use.weight / use.scale
        for use in rubric.metrics
        if all(use.id in one for one in values)
    }
    return stdev(sum(one[name] * factor for name, factor in factors.items()) for one in values)


def proposed(rubric: Rubric, measured: Rubric, base: float) -> float:
    """Return the minimal effect by the prior.

    Args:
        rubric: of the step.
        measured: the rubric of the step whose noise was measured.
        base: the deviation between plans of that one.
    """
    effect = measured.minimal_effect * deviation(rubric) / base
    return round(round(min(max(effect, LEAST), MOST) / STEP) * STEP, 2)


def main() -> None:
    """Print the minimal effects, proposed and in force."""
    measured = recorded_comparisons.rubric()
    base = deviation(measured)
    for name in load.names():
        rubric = load.find(name)
        if rubric is not None:
            print(name, f"{proposed(rubric, measured, base):g}", f"{rubric.minimal_effect:g}")


if __name__ == "__main__":
    main()
