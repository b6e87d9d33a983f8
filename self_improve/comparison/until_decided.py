"""Running cells only until the evaluator has decided, or will hardly decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from prompt_lab.layout import Layout
from prompt_lab.record import CellKey
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison import comparability
from self_improve.comparison.sides import measured, measurer_for
from self_improve.measures.measurer import Measurer
from self_improve.runs.stopping import LookResult, Paths, UnderWay
from self_improve.verdict import decide, noise
from self_improve.verdict import looks as sequential
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.terms import Look, Terms


class UntilDecided:
    """Judges each side against other runs, or against the first side, which then runs as well.

    What it says hangs on the records alone, so a session that goes on where another was killed
    comes to the same looks and the same words.
    """

    def __init__(
        self,
        rubric: Rubric,
        *,
        against: Paths = (),
        expectations: Sequence[Expectation] = (),
        seed: int = 1,
        lab: Layout | None = None,
        baselines: Paths = (),
    ) -> None:
        self._against = list(against)
        self._terms = Terms(
            rubric=rubric,
            noise=noise.find(rubric, load.FOLDER),
            expectations=expectations,
            seed=seed,
            together=not against,
        )
        self._lab = lab
        self._baselines = list(baselines)
        self._order: list[CellKey] = []

    def begin(self, sides: Sequence[Paths]) -> None:
        """Check that both sides of every comparison differ in what is tested only.

        Raises:
            UsageError: they do not; every difference is named.
        """
        for before, after in self._comparisons(sides).values():
            comparability.check(before, after).require()

    def groups(self, cells: Collection[CellKey]) -> list[list[CellKey]]:
        """Return the cells in their random order, parted by the looks."""
        self._order = sequential.order(cells, seed=self._terms.seed)
        return sequential.groups(self._order)

    def look(
        self, number: int, sides: Sequence[Paths], under_way: UnderWay
    ) -> Mapping[int, LookResult]:
        """Judge every side on the first `number` groups of cells.

        Raises:
            UsageError: a record cannot be read.
        """
        rubric = self._terms.rubric
        with measurer_for(rubric, self._baselines, self._lab, under_way) as measurer:
            return {
                side: self._stand(number, before, after, measurer)
                for side, (before, after) in self._comparisons(sides).items()
            }

    def _comparisons(self, sides: Sequence[Paths]) -> dict[int, tuple[Paths, Paths]]:
        if self._against:
            return {n: (self._against, after) for n, after in enumerate(sides)}
        return {n: (sides[0], after) for n, after in enumerate(sides) if n}

    def _stand(self, number: int, before: Paths, after: Paths, measurer: Measurer) -> LookResult:
        looks = looks_of(before, after, measurer, self._order, upto=number)
        verdict = decide(looks, self._terms, evidence="historical")
        facts = {
            "word": str(verdict.word),
            "reasons": list(verdict.reasons),
            "look": verdict.look,
            "share": verdict.share,
            "seed": self._terms.seed,
            "expectations": [one.text for one in self._terms.expectations],
            "order": [list(key) for key in self._order],
        }
        return LookResult(settled=verdict.is_decided, facts=facts)


def looks_of(
    before: Paths,
    after: Paths,
    measurer: Measurer,
    order: Sequence[CellKey],
    *,
    upto: int | None = None,
) -> list[Look]:
    """Return the looks at cells in their order, each measured as if no later cells were there.

    Args:
        before: the runs of one side.
        after: those of the other.
        measurer: measures by the rubric.
        order: all cells that were planned.
        upto: the number of looks; all without it.

    Raises:
        UsageError: a run cannot be read.
    """
    found: list[Look] = []
    keys: list[CellKey] = []
    for group in sequential.groups(order)[:upto]:
        keys += group
        sides = measured(before, after, measurer, only=frozenset(keys))
        found.append(Look(pairing=sides.pairing, share=len(keys) / len(order)))
    return found


def order_in(facts: Mapping[str, Any] | None) -> list[CellKey]:
    """Return the order of cells in a run's `done.json`; nothing if nobody looked in between."""
    decision = (facts or {}).get("decision")
    listed = decision.get("order") if isinstance(decision, dict) else None
    found = []
    for key in listed if isinstance(listed, list) else ():
        plan, model, repeat = key
        found.append((str(plan), str(model), int(repeat)))
    return found
