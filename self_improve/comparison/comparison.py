"""One comparison of two sides: what the records allow, the verdict, and the worst changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prompt_lab.record import Run
from rubrics.rubric import Rubric
from self_improve.comparison import comparability, examples
from self_improve.comparison.comparability import Claim, Comparability
from self_improve.comparison.examples import Example
from self_improve.comparison.sides import measured
from self_improve.comparison.until_decided import looks_of, order_in
from self_improve.measures.measurer import Measurer
from self_improve.verdict import Verdict, decide
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.noise import Noise
from self_improve.verdict.terms import Look, Terms

SCHEMA_VERSION = 1
BASELINE = "baseline-plan"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A verdict with what it was made from; `before` and `after` name runs by number and step."""

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
    """Compare two sides; without runs before, the baseline plans stand there.

    Runs that were looked at while they went on are judged with those looks.

    Args:
        before: the directories of the runs of one side.
        after: those of the other.
        rubric: what is measured.
        measurer: measures by it.
        noise: that of the step.
        expectations: what the candidate declared.
        claim: whether something was changed, or nothing.
        seed: of the flips; by default that of the looks, or 1.
        shown: how many of the worst changes are shown.

    Raises:
        UsageError: the sides cannot be compared; every reason is named.
    """
    records = _records(before, after, claim)
    records.require()
    both = measured(before, after, measurer, baseline=not before)
    decision = _decision(after) if before else {}
    chosen = int(decision.get("seed", 1)) if seed is None else seed
    terms = Terms(
        rubric=rubric, noise=noise, expectations=expectations, seed=chosen,
        together=records.together,
    )  # fmt: skip
    order = order_in({"decision": decision})
    looks: Sequence[Look] = (
        looks_of(before, after, measurer, order, upto=int(decision.get("look", 1)))
        if order
        else [Look(pairing=both.pairing)]
    )
    evidence, reasons = both.evidence(records)
    verdict = decide(looks, terms, evidence=evidence, notes=reasons)
    return Comparison(
        verdict=verdict,
        before=tuple(map(_name, before)) or (BASELINE,),
        after=tuple(map(_name, after)),
        records=records,
        examples=examples.worst(both, rubric, count=shown),
    )


def _records(before: Sequence[Path], after: Sequence[Path], claim: Claim) -> Comparability:
    if before:
        return comparability.check(before, after, claim=claim)
    unknown = ("what the baseline plans were made with",)
    return Comparability(refusals=(), unknown=unknown, changed=(), together=False)


def _decision(paths: Sequence[Path]) -> Mapping[str, Any]:
    """Return what was written of the last look while these runs went on, if anybody looked."""
    for path in paths:
        decision = (Run(path).done() or {}).get("decision")
        if isinstance(decision, dict):
            return decision
    return {}


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
