"""Runs cells only until the evaluator has decided, or will hardly decide."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from prompt_lab.layout import Layout
from prompt_lab.record import CellKey
from rubrics import load
from rubrics.rubric import Rubric
from self_improve.comparison import comparability
from self_improve.comparison.comparability import Comparability
from self_improve.comparison.comparison import decide_sides
from self_improve.comparison.sides import measurer_for
from self_improve.measures.measurer import Measurer
from self_improve.runs.stopping import LookResult, Paths, UnderWay
from self_improve.verdict import looks, noise
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.terms import Terms


class UntilDecided:
    """A stopping rule that compares each side with other runs, or with the first side.

    The result depends on the records alone, so a session that resumes after another was killed
    takes the same looks and reaches the same verdicts.
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
            noise=noise.find(rubric, load.FOLDER, lab),
            expectations=expectations,
            seed=seed,
        )
        self._lab = lab
        self._baselines = list(baselines)
        self._order: list[CellKey] = []

    def begin(self, sides: Sequence[Paths]) -> None:
        """Check that the sides of every comparison differ only in what is tested.

        Raises:
            UsageError: they do not; every difference is named.
        """
        for before, after in self._comparisons(sides).values():
            comparability.check(before, after).require()

    def groups(self, cells: Collection[CellKey]) -> list[list[CellKey]]:
        """Return the cells in their random order, split at the looks."""
        self._order = looks.order(cells, seed=self._terms.seed)
        return looks.groups(self._order)

    def look(
        self, number: int, sides: Sequence[Paths], under_way: UnderWay
    ) -> Mapping[int, LookResult]:
        """Decide on every side by the first `number` groups of cells.

        Raises:
            UsageError: a record cannot be read, was altered, or was answered by another model.
        """
        rubric = self._terms.rubric
        for before, after in self._comparisons(sides).values():
            comparability.check(before, after).require_intact()
        with measurer_for(rubric, self._baselines, self._lab, under_way) as measurer:
            return {
                side: self._decide(number, before, after, measurer)
                for side, (before, after) in self._comparisons(sides).items()
            }

    def _comparisons(self, sides: Sequence[Paths]) -> dict[int, tuple[Paths, Paths]]:
        if self._against:
            return {n: (self._against, after) for n, after in enumerate(sides)}
        return {n: (sides[0], after) for n, after in enumerate(sides) if n}

    def _decide(self, number: int, before: Paths, after: Paths, measurer: Measurer) -> LookResult:
        # Sides of one session run together; other runs were made before.
        records = Comparability(together=not self._against)
        _, verdict = decide_sides(
            before, after, self._terms, measurer, records, order=self._order, looks=number
        )
        facts = {
            "word": str(verdict.word),
            "reasons": list(verdict.reasons),
            "look": verdict.look,
            "share": verdict.share,
            "shares": list(looks.SHARES),
            "seed": self._terms.seed,
            "expectations": [one.text for one in self._terms.expectations],
            "order": [list(key) for key in self._order],
        }
        return LookResult(settled=verdict.is_decided, facts=facts)
