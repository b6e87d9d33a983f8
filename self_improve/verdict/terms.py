"""The terms of a decision, fixed before anybody looks at the numbers, and its looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from prompt_lab.record import CellKey
from rubrics.rubric import Rubric
from self_improve.verdict.differences import Differences, differences
from self_improve.verdict.expectation import Expectation
from self_improve.verdict.noise import Noise
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.shifts import Shifts, shifts
from self_improve.verdict.statistics import flips
from self_improve.verdict.statistics.flips import COUNT, Flips
from self_improve.verdict.statistics.spending import RepeatedTest

ERROR = 0.025
"""The probability of a KEEP, and that of a REJECT, if nothing was changed."""
FEW_PAIRS_ERROR = 0.0185
"""The part of it for what may show in five pairs only (a declared scope, the cells that were lost):
five of five has the mid-p 1/64, the smallest that five pairs allow; the rest is room for the error
of 10,000 drawn flips, and lets no other outcome of few pairs pass."""
LIMITS_ERROR = 0.0025
"""The part of it for the limits that a rubric sets, all together."""
UNDECLARED_ERROR = ERROR / 4
"""What is always left of it for a gain that was not declared, however much the declared could
spend."""
LEAST_ERROR = 0.0025
"""What is always left of it for harm to the contents, however much the gates could spend."""
SPENDING = 1.5
"""Of an error, the share t ** SPENDING may be spent by the time a share t of the cells has run (K.
Kim and D. L. DeMets, Design and analysis of group sequential tests based on the type I error
spending rate function, 1987): large effects can stop early, and more than half is left for the
second half."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What a decision depends on besides the cells.

    `together` means that both sides ran in one stretch of time, so that batches add no noise.
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
    """The pairs that have been run at the time of a look, and their share of all cells."""

    pairing: Pairing
    share: float = 1.0


class PermutedLook:
    """A look with the flips of its pairs: the permutation distribution of every statistic.

    Args:
        look: the pairs that have been run.
        terms: of the decision.
        flips: of all pairs of all looks.
        rows: the row of each pair in these flips.
    """

    def __init__(self, look: Look, terms: Terms, flips: Flips, rows: dict[CellKey, int]) -> None:
        self.look = look
        self.terms = terms
        self._flips = flips
        self._rows = rows

    @property
    def count(self) -> int:
        """The number of flips."""
        return self._flips.count

    @property
    def pairs(self) -> Sequence[Pair]:
        """All pairs, failed ones included."""
        return self.look.pairing.pairs

    @cached_property
    def gains(self) -> Differences:
        """The gains of the pairs with content on both sides."""
        terms = self.terms
        return differences(self.look.pairing, terms.rubric, terms.expectations, terms.noise)

    @cached_property
    def shifts(self) -> Shifts | None:
        """The composite and its parts under every flip; None without a pair with content."""
        return shifts(self.gains, self.flips(self.gains.pairs))

    def flips(self, pairs: Sequence[Pair]) -> Flips:
        """Return the flips of some of the pairs."""
        rows = [self._rows[pair.key] for pair in pairs]
        return Flips(signs=self._flips.signs[rows], exact=self._flips.exact)

    def limit(self, error: float) -> float:
        """Return how much of an error may be spent up to this look."""
        return float(error * min(self.look.share, 1.0) ** SPENDING)


class RepeatedTests:
    """The tests of a decision by name, each with the error it spent at earlier looks."""

    def __init__(self, flips: int) -> None:
        self._flips = flips
        self._tests: dict[str, RepeatedTest] = {}

    def __getitem__(self, name: str) -> RepeatedTest:
        """Return a test, a new one at its first look."""
        return self._tests.setdefault(name, RepeatedTest(self._flips))

    @property
    def are_close(self) -> bool:
        """Whether the outcome of any might be another one with other flips."""
        return any(test.is_close for test in self._tests.values())

    def spent_before(self, name: str) -> float:
        """Return the sum of what the tests of a gate that came before this one have spent."""
        names = [one for one in self._tests if one.startswith("gate ")]
        earlier = names[: names.index(name)] if name in names else names
        return sum(self._tests[one].spent for one in earlier)

    def spent_at_least(self, prefix: str) -> float:
        """Return what any of the tests whose names begin with `prefix` have spent together."""
        spent = [test.spent for name, test in self._tests.items() if name.startswith(prefix)]
        return min(spent, default=0.0)

    def spent(self, prefix: str) -> float:
        """Return the sum of what the tests whose names begin with `prefix` have spent."""
        return sum(test.spent for name, test in self._tests.items() if name.startswith(prefix))


def permuted(looks: Sequence[Look], terms: Terms) -> list[PermutedLook]:
    """Return the looks with flips; a pair has the same flips at all of them."""
    rows: dict[CellKey, int] = {}
    for look in looks:
        for pair in look.pairing.pairs:
            rows.setdefault(pair.key, len(rows))
    if len(looks) == 1 and looks[0].share >= 1:
        all_flips = flips.flips(len(rows), seed=terms.seed, count=terms.flips)
    else:
        # Drawn, so that the decision at a look stays the same when more cells follow.
        all_flips = flips.drawn(len(rows), seed=terms.seed, count=terms.flips)
    return [PermutedLook(look, terms, all_flips, rows) for look in looks]
