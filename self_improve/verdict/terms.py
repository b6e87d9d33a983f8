"""The terms on which two sides are judged: they are fixed before anybody looks at the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from prompt_lab.record import CellKey
from rubrics.rubric import Rubric
from self_improve.verdict.effects import Differences, differences
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.noise import Noise
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.statistics import flips
from self_improve.verdict.statistics.flips import COUNT, Flips
from self_improve.verdict.statistics.spending import Row

ERROR = 0.025
"""The probability of a KEEP, and that of a REJECT, if nothing was changed."""
FEW = 0.0185
"""The part of it for what may show in five pairs only (a model on five plans, a declared scope, the
cells that were lost): five of five has the mid-p 1/64 and nothing smaller can come of five; the
rest is room for the error of 10,000 drawn flips, and lets no other outcome of few pairs pass."""
LEAST = ERROR / 2
"""What is always left of it for the composite."""
SPENDING = 1.5
"""Of an error, the share t ** SPENDING may be spent by the time a share t of the cells has run (K.
Kim and D. L. DeMets, Design and analysis of group sequential tests based on the type I error
spending rate function, 1987): large effects can stop early, and a third is left for the end."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a decision depends on beside the cells.

    `together` says that both sides ran in one stretch of time, so that batches add nothing.
    """

    rubric: Rubric
    noise: Noise
    expectations: Sequence[Expectation] = ()
    together: bool = False
    seed: int = 1
    flips: int = COUNT

    @property
    def drift(self) -> float:
        """How much more than by chance alone the composite moves between the sides' batches."""
        return 1.0 if self.together else self.noise.composite_drift


@dataclass(frozen=True, kw_only=True)
class Look:
    """The pairs that have been run when somebody looks, and their share of all cells."""

    pairing: Pairing
    share: float = 1.0


class PermutedLook:
    """A look with the flips of its pairs."""

    def __init__(self, look: Look, terms: Terms, every: Flips, places: dict[CellKey, int]) -> None:
        self.look = look
        self.terms = terms
        self._every = every
        self._places = places

    @property
    def count(self) -> int:
        """The number of flips."""
        return self._every.count

    @property
    def pairs(self) -> Sequence[Pair]:
        """All pairs."""
        return self.look.pairing.pairs

    @cached_property
    def gains(self) -> Differences:
        """The gains of the pairs with content."""
        return differences(self.look.pairing, self.terms.rubric, self.terms.expectations)

    def flips(self, pairs: Sequence[Pair]) -> Flips:
        """Return the flips of some of the pairs."""
        rows = [self._places[pair.key] for pair in pairs]
        return Flips(signs=self._every.signs[rows], exact=self._every.exact)

    def limit(self, error: float) -> float:
        """Return what may be spent of an error by now."""
        return float(error * min(self.look.share, 1.0) ** SPENDING)


class Rows:
    """The tests of a decision, each with what it has spent in the looks before."""

    def __init__(self, flips: int) -> None:
        self._flips = flips
        self._rows: dict[str, Row] = {}

    def __getitem__(self, name: str) -> Row:
        """Return a test's row, a fresh one at its first look."""
        return self._rows.setdefault(name, Row(self._flips))

    def spent(self, prefix: str) -> float:
        """Return what the tests whose names begin so have spent, summed up."""
        return sum(row.spent for name, row in self._rows.items() if name.startswith(prefix))


def permuted(looks: Sequence[Look], terms: Terms) -> list[PermutedLook]:
    """Return the looks with flips that are the same for a pair in all of them."""
    places: dict[CellKey, int] = {}
    for look in looks:
        for pair in look.pairing.pairs:
            places.setdefault(pair.key, len(places))
    if len(looks) == 1 and looks[0].share >= 1:
        every = flips.flips(len(places), seed=terms.seed, count=terms.flips)
    else:
        # Drawn, so that what was decided at a look stays the same when more cells have come.
        every = flips.drawn(len(places), seed=terms.seed, count=terms.flips)
    return [PermutedLook(look, terms, every, places) for look in looks]
