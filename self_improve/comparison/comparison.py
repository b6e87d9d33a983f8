"""One comparison of two sides: what the records allow, the verdict, and the worst changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from prompt_lab.record import CellKey, Run
from rubrics.rubric import Rubric
from self_improve.comparison import comparability, examples
from self_improve.comparison.again import again
from self_improve.comparison.comparability import Claim, Comparability
from self_improve.comparison.examples import Example
from self_improve.comparison.sides import Sides, on_common_cells, whole_sides
from self_improve.measures.measurer import Measurer
from self_improve.verdict import Verdict, decide
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.looks import EARLIER_SHARES, SHARES, groups
from self_improve.verdict.noise import Noise
from self_improve.verdict.terms import Look, Terms

SCHEMA_VERSION = 1
BASELINE = "baseline-plan"


def decide_sides(
    before: Sequence[Path],
    after: Sequence[Path],
    terms: Terms,
    measurer: Measurer,
    records: Comparability,
    *,
    order: Sequence[CellKey] = (),
    looks: int | None = None,
    shares: Sequence[float] = SHARES,
) -> tuple[Sides, Verdict]:
    """Measure two sides and decide on them: `compare`, iterations and early stopping do it here.

    Args:
        before: the directories of the runs of one side; without any, the baseline plans are it.
        after: those of the other.
        terms: of the decision; `together` is taken from the records.
        measurer: measures by their rubric.
        records: what the records of both sides show.
        order: the cells in the order in which they were planned, if there were looks at them;
            each look is measured as if no later cells existed.
        looks: how many looks were taken; without it, all.
        shares: of the cells, after which looks were taken.

    Returns:
        The sides with all their cells, and the verdict.

    Raises:
        UsageError: a run cannot be read.
    """
    whole = whole_sides(before, after, measurer)
    sides = on_common_cells(whole, measurer)
    taken: list[Look] = []
    keys: list[CellKey] = []
    for group in groups(order, shares)[:looks]:
        keys += group
        part = on_common_cells(whole, measurer, frozenset(keys))
        taken.append(Look(pairing=part.pairing, share=len(keys) / len(order)))
    evidence, reasons = sides.evidence(records)
    terms = replace(terms, together=records.together)
    verdict = decide(
        taken or sides.pairing, terms, evidence=evidence, notes=reasons, again=again(before, after)
    )
    return sides, verdict


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A verdict with its origin; `before` and `after` name runs by number and step."""

    verdict: Verdict
    before: tuple[str, ...]
    after: tuple[str, ...]
    records: Comparability
    examples: tuple[Example, ...]

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values; keys are only ever added."""
        return {
            "schema_version": SCHEMA_VERSION,
            "before": list(self.before),
            "after": list(self.after),
            "changed": list(self.records.changed),
            "unknown": list(self.records.unknown),
            "together": self.records.together,
            **self.verdict.to_row(),
            "examples": [asdict(example) for example in self.examples],
        }


def compare(
    before: Sequence[Path],
    after: Sequence[Path],
    rubric: Rubric,
    measurer: Measurer,
    *,
    noise: Noise,
    expectations: Sequence[Expectation] = (),
    claim: Claim = "change",
    seed: int | None = None,
    shown: int = 3,
) -> Comparison:
    """Compare two sides; without runs before, the baseline plans are that side.

    The looks that were taken while the runs were under way are taken into account.

    Args:
        before: the directories of the runs of one side.
        after: those of the other.
        rubric: what is measured.
        measurer: measures by it.
        noise: of the step.
        expectations: what the candidate declared.
        claim: whether something was changed, or nothing.
        seed: of the flips; by default that of the looks, or 1.
        shown: how many of the worst changes are shown.

    Raises:
        UsageError: the sides cannot be compared; every reason is named.
    """
    if before:
        records = comparability.check(before, after, claim=claim)
    else:
        records = comparability.check_one(after)
    records.require()
    decision = decision_in(after) if before else {}
    if seed is None:
        seed = int(decision.get("seed", 1))
    sides, verdict = decide_sides(
        before, after, Terms(rubric=rubric, noise=noise, expectations=expectations, seed=seed),
        measurer, records, order=order_in(decision), looks=int(decision.get("look", 1)),
        shares=shares_in(decision),
    )  # fmt: skip
    return Comparison(
        verdict=verdict,
        before=tuple(map(_name, before)) or (BASELINE,),
        after=tuple(map(_name, after)),
        records=records,
        examples=examples.worst(sides, rubric, count=shown),
    )


def decision_in(paths: Sequence[Path]) -> Mapping[str, Any]:
    """Return the record of the last look at these runs; empty if there was none."""
    for path in paths:
        decision = (Run(path).done() or {}).get("decision")
        if isinstance(decision, dict):
            return decision
    return {}


def order_in(decision: Mapping[str, Any]) -> list[CellKey]:
    """Return the order of cells in the record of a look; empty if there was none."""
    listed = decision.get("order")
    keys = listed if isinstance(listed, list) else ()
    return [(str(plan), str(model), int(repeat)) for plan, model, repeat in keys]


def shares_in(decision: Mapping[str, Any]) -> Sequence[float]:
    """Return the shares of cells after which looks were to be taken, by the record of a look."""
    listed = decision.get("shares")
    return [float(one) for one in listed] if isinstance(listed, list) else EARLIER_SHARES


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
