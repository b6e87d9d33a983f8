"""The evaluator as an iteration uses it: two sets of runs of one step, and one word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.judge import Pair as JudgedPair
from prompt_lab.layout import Layout
from prompt_lab.record import CellKey, Run
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison import comparability
from self_improve.comparison.sides import Sides, measured, measurer_for
from self_improve.comparison.until_decided import UntilDecided, looks_of, order_in
from self_improve.errors import UsageError
from self_improve.measures.fitness import mean
from self_improve.records import run_reading
from self_improve.records.run_reading import Refusal
from self_improve.verdict import Verdict, decide, expectation, noise
from self_improve.verdict.effects import differences
from self_improve.verdict.terms import Terms

WORST_CELLS = 3


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """A verdict, and what it was made from.

    `fitness_before` and `fitness_after` are the means of what loops maximise, from 0 to 1.
    """

    verdict: Verdict
    sides: Sides
    fitness_before: float | None
    fitness_after: float | None


def rubric_of(step: str) -> Rubric:
    """Return the rubric of a step.

    Raises:
        UsageError: nobody has written one.
        RubricError: it cannot be used.
    """
    found = load.find(step)
    if found is None:
        raise UsageError(
            f"{step} has no rubric, so nobody can say what better means for it. Write "
            f"rubrics/{step}.yaml; the others there show how."
        )
    return found


def judge_runs(
    before: Sequence[Run],
    after: Sequence[Run],
    rubric: Rubric,
    lab: Layout,
    *,
    expectations: Sequence[str] = (),
    seed: int = 1,
    same_inputs: bool = True,
) -> Judgement:
    """Judge the runs after against those before, by the looks that were taken as they ran.

    Args:
        before: the runs of one side, one or more a model.
        after: those of the other.
        rubric: what is measured.
        lab: the data repo, whose baseline plans lengths are held against.
        expectations: declared effects, as on the command line.
        seed: of the permutations.
        same_inputs: False for steps downstream, whose inputs are what the sides have written.

    Raises:
        UsageError: the sides cannot be compared, or an expectation is no such thing.
    """
    old, new = [run.path for run in before], [run.path for run in after]
    found = comparability.check(old, new)
    if same_inputs:
        found.require()
    order = next((o for run in after if (o := order_in(run.done()))), [])
    with measurer_for(rubric, lab=lab) as measurer:
        both = measured(old, new, measurer)
        looks = looks_of(old, new, measurer, order) if order else []
    terms = Terms(
        rubric=rubric,
        noise=noise.find(rubric, load.FOLDER),
        expectations=[expectation.parse(one, rubric) for one in expectations],
        together=found.together,
        seed=seed,
    )
    evidence, reasons = both.evidence(found)
    verdict = decide(looks or both.pairing, terms, evidence=evidence, notes=reasons)
    cells = [[cell for run in side for cell in run.cells] for side in (both.before, both.after)]
    return Judgement(
        verdict=verdict,
        sides=both,
        fitness_before=mean(cells[0], rubric),
        fitness_after=mean(cells[1], rubric),
    )


def until_decided(
    rubric: Rubric, lab: Layout, *, expectations: Sequence[str], seed: int
) -> UntilDecided:
    """Return what stops an experiment as soon as it is decided, on the terms of `judged`.

    Raises:
        UsageError: an expectation is no such thing.
    """
    declared = [expectation.parse(one, rubric) for one in expectations]
    return UntilDecided(rubric, expectations=declared, seed=seed, lab=lab)


def outputs(
    judgement: Judgement, rubric: Rubric, before: Sequence[Run], after: Sequence[Run]
) -> Iterator[JudgedPair]:
    """Yield the outputs of every pair of cells that succeeded, for the judge."""
    old, new = _contents(before, rubric), _contents(after, rubric)
    for pair in judgement.sides.pairing.pairs:
        if pair.key in old and pair.key in new:
            plan, first = old[pair.key]
            yield JudgedPair(key=pair.key, plan=plan, before=first, after=new[pair.key][1])


def worst(judgement: Judgement, rubric: Rubric, count: int) -> list[CellKey]:
    """Return the cells that fell most; those that were lost come first."""
    pairs = judgement.sides.pairing.pairs
    lost = [p.key for p in pairs if p.before.succeeded and not p.after.succeeded]
    found = differences(judgement.sides.pairing, rubric, ())
    gains = sorted(zip(found.composites.tolist(), found.pairs, strict=True), key=lambda one: one[0])
    return [*lost, *(pair.key for _, pair in gains)][:count]


def row_of(judgement: Judgement, rubric: Rubric) -> dict[str, Any]:
    """Return plain JSON values: the verdict, and where to look first."""
    verdict = judgement.verdict
    counts = [cell.prompt_chars for run in judgement.sides.after for cell in run.cells]
    return {
        **verdict.to_row(),
        "failed_gates": list(verdict.failed_gates),
        "fitness_before": judgement.fitness_before,
        "fitness_after": judgement.fitness_after,
        "worst": [list(key) for key in worst(judgement, rubric, WORST_CELLS)],
        "chars": max((count for count in counts if count is not None), default=0),
    }


def _contents(runs: Sequence[Run], rubric: Rubric) -> dict[CellKey, tuple[str, list[object]]]:
    found = {}
    for run in runs:
        for cell in run_reading.read(run.path, rubric).cells:
            try:
                content = cell.content()
            except Refusal:
                continue
            key = (cell.plan, cell.model, cell.repeat)
            found[key] = (content.input, list(content.clean))
    return found
