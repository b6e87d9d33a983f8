"""What planned cells of a step can decide, as a line before anything is spent on them."""

from __future__ import annotations

from collections.abc import Sequence

from prompt_lab.layout import Layout
from rubrics import default, load
from rubrics.rubric import MetricUse, Rubric, Source
from self_improve.verdict import noise as noise_files
from self_improve.verdict.prospect import prospect


def sentence(
    step: str, *, plans: int, models: Sequence[str], repeats: int, lab: Layout | None = None
) -> str | None:
    """Return what the cells can decide; None without cells.

    A rubric that is derived from a step's outputs decides by the same terms, whatever it measures.

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
    if not plans or not models:
        return None
    rubric = load.find(step) or _derived(step)
    noise = noise_files.find(rubric, load.FOLDER, lab)
    outlook = prospect(rubric, noise, plans=plans, models=models, repeats=repeats)
    derived = "" if step in load.names() else (
        f"; {step} has no rubric of its own, so one is derived from its outputs"
    )  # fmt: skip
    return f"compared with as many cells: {outlook.text}{derived}"


def _derived(step: str) -> Rubric:
    """Return what is known of a rubric that can only be derived once there are outputs."""
    return Rubric(
        step=step, version=1, why="It is derived from the outputs.",
        clean=Source(artifact=f"{step}.json"), minimal_effect=default.MINIMAL_EFFECT,
        metrics=(MetricUse(metric="placeholders", scale=1.0),),
    )  # fmt: skip
