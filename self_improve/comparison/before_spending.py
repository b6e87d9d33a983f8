"""What planned cells of a step can decide, as a line before anything is spent on them."""

from __future__ import annotations

from collections.abc import Sequence

from prompt_lab.layout import Layout
from rubrics import load
from self_improve.verdict import noise as noise_files
from self_improve.verdict.prospect import prospect


def sentence(
    step: str, *, plans: int, models: Sequence[str], repeats: int, lab: Layout | None = None
) -> str | None:
    """Return what the cells can decide; None if the step has no rubric.

    Args:
        step: the step that is run.
        plans: how many plans it is run on.
        models: the names of the models.
        repeats: how often each of them runs each plan.
        lab: the data repo, which may hold the noise of the step.

    Raises:
        RubricError: the rubric cannot be used.
        UsageError: the stored noise cannot be read.
    """
    rubric = load.find(step)
    if rubric is None or not plans or not models:
        return None
    noise = noise_files.find(rubric, load.FOLDER, lab)
    outlook = prospect(rubric, noise, plans=plans, models=models, repeats=repeats)
    return f"compared with as many cells: {outlook.text}"
