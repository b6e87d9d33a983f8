"""The evaluator as an iteration uses it: two sets of runs of one step, and one verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.judge import Pair as JudgedPair
from model_gateway.suggestions import did_you_mean
from prompt_lab.layout import Layout
from prompt_lab.record import CellKey, Run
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison import before_spending, comparability
from self_improve.comparison.comparison import decide_sides, decision_in, order_in, shares_in
from self_improve.comparison.sides import Sides, measurer_for
from self_improve.comparison.until_decided import UntilDecided
from self_improve.errors import UsageError
from self_improve.measures.fitness import mean
from self_improve.records import run_reading
from self_improve.records.cell_reading import Refusal
from self_improve.runs.specification import RunSpecification
from self_improve.verdict import Verdict, expectation, noise
from self_improve.verdict.differences import differences
from self_improve.verdict.terms import Terms

WORST_CELLS = 3


@dataclass(frozen=True, kw_only=True)
class DecidedRuns:
    """A verdict, and the measured runs that it rests on.

    `fitness_before` and `fitness_after` are the means of what loops maximise, from 0 to 1.
    """

    verdict: Verdict
    sides: Sides
    fitness_before: float | None
    fitness_after: float | None


def rubric_of(step: str) -> Rubric:
    """Return the rubric of a step.

    Raises:
        UsageError: there is none.
        RubricError: it cannot be used.
    """
    rubric = load.find(step)
    if rubric is None:
        raise UsageError(
            f"{step} has no rubric, so nothing defines a better result."
            f"{did_you_mean(step, load.names())} If the step's name is right, write "
            f"rubrics/{step}.yaml; the others there are examples."
        )
    return rubric


def decide_runs(
    before: Sequence[Run],
    after: Sequence[Run],
    rubric: Rubric,
    lab: Layout,
    *,
    expectations: Sequence[str] = (),
    seed: int = 1,
    same_inputs: bool = True,
) -> DecidedRuns:
    """Decide on the runs after against those before, by the looks that were taken as they ran.

    Args:
        before: the runs of one side, one or more per model.
        after: those of the other.
        rubric: what is measured.
        lab: the data repo, with whose baseline plans lengths are compared.
        expectations: declared effects, as on the command line.
        seed: of the permutations.
        same_inputs: False for downstream steps, whose inputs are what the sides have written.

    Raises:
        UsageError: the sides cannot be compared, or an expectation cannot be parsed.
    """
    old, new = [run.path for run in before], [run.path for run in after]
    records = comparability.check(old, new)
    if same_inputs:
        records.require()
    records.require_intact()
    terms = Terms(
        rubric=rubric,
        noise=noise.find(rubric, load.FOLDER, lab),
        expectations=[expectation.parse(one, rubric) for one in expectations],
        seed=seed,
    )
    with measurer_for(rubric, lab=lab) as measurer:
        decision = decision_in(new)
        sides, verdict = decide_sides(
            old, new, terms, measurer, records,
            order=order_in(decision), shares=shares_in(decision),
        )  # fmt: skip
    cells = [[cell for run in side for cell in run.cells] for side in (sides.before, sides.after)]
    return DecidedRuns(
        verdict=verdict,
        sides=sides,
        fitness_before=mean(cells[0], rubric),
        fitness_after=mean(cells[1], rubric),
    )


def until_decided(
    rubric: Rubric, lab: Layout, *, expectations: Sequence[str], seed: int
) -> UntilDecided:
    """Return a rule that stops an experiment once it is decided, on the terms of `decide_runs`.

    Raises:
        UsageError: an expectation cannot be parsed.
    """
    declared = [expectation.parse(one, rubric) for one in expectations]
    return UntilDecided(rubric, expectations=declared, seed=seed, lab=lab)


def prospect_of(step: str, planned: Sequence[RunSpecification], lab: Layout) -> str | None:
    """Return what the planned cells of one side can decide; None without cells."""
    models = [one.model.name for one in planned]
    if not models:
        return None
    plans, repeats = len(planned[0].inputs), planned[0].repeats
    return before_spending.sentence(step, plans=plans, models=models, repeats=repeats, lab=lab)


def outputs(
    decided: DecidedRuns, rubric: Rubric, before: Sequence[Run], after: Sequence[Run]
) -> Iterator[JudgedPair]:
    """Yield the outputs of every pair of cells that succeeded, for the judge."""
    old, new = _contents(before, rubric), _contents(after, rubric)
    for pair in decided.sides.pairing.pairs:
        if pair.key in old and pair.key in new:
            plan, first = old[pair.key]
            yield JudgedPair(key=pair.key, plan=plan, before=first, after=new[pair.key][1])


def worst(decided: DecidedRuns, rubric: Rubric, count: int) -> list[CellKey]:
    """Return the cells that fell most; those that were lost come first."""
    pairing = decided.sides.pairing
    lost = [p.key for p in pairing.pairs if p.before.succeeded and not p.after.succeeded]
    gains = differences(pairing, rubric)
    ranked = [gains.pairs[n].key for n in np.argsort(gains.composites, kind="stable")]
    return [*lost, *ranked][:count]


def row_of(decided: DecidedRuns, rubric: Rubric) -> dict[str, Any]:
    """Return plain JSON values: the verdict, and where to look first."""
    verdict = decided.verdict
    counts = [cell.prompt_chars for run in decided.sides.after for cell in run.cells]
    return {
        **verdict.to_row(),
        "failed_gates": list(verdict.failed_gates),
        "fitness_before": decided.fitness_before,
        "fitness_after": decided.fitness_after,
        "worst": [list(key) for key in worst(decided, rubric, WORST_CELLS)],
        "chars": max((count for count in counts if count is not None), default=0),
    }


def _contents(runs: Sequence[Run], rubric: Rubric) -> dict[CellKey, tuple[str, list[object]]]:
    contents = {}
    for run in runs:
        for cell in run_reading.read(run.path, rubric).cells:
            try:
                content = cell.content()
            except Refusal:
                continue
            key = (cell.plan, cell.model, cell.repeat)
            contents[key] = (content.input, list(content.clean))
    return contents
