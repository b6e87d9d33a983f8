"""One error rate over several looks: each look is given what the ones before it left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from self_improve.verdict.statistics.flips import Bools, Floats


@dataclass(frozen=True, kw_only=True)
class TestOutcome:
    """How a test came out: `p` counts the error that was spent before it."""

    p: float
    fires: bool


class Row:
    """One test that is taken at several looks, on the same flips.

    A flip is spent once the test fires in it. The test fires where its own share of flips, those
    spent before it included, stays within its limit. As the flips are equally likely if nothing
    was changed, the share of spent flips is the probability that the test fires by chance at any
    look (K. K. G. Lan and D. L. DeMets, Discrete sequential boundaries for clinical trials, 1983;
    here with the distribution of the flips in place of the normal one).
    """

    def __init__(self, flips: int) -> None:
        self._spent: Bools = np.zeros(flips, dtype=np.bool_)
        self._fired: TestOutcome | None = None

    @property
    def spent(self) -> float:
        """The share of flips in which the test has fired."""
        return float(self._spent.mean())

    def test(
        self,
        statistic: Floats,
        *,
        limit: float,
        possible: Bools | None = None,
        middle: bool = False,
        widened: float = 1.0,
        known: Floats | None = None,
    ) -> TestOutcome:
        """Test whether the observed statistic, the first one, is among the largest.

        Once it has fired it stays so at later looks.

        Args:
            statistic: its values under every flip; large values speak for firing.
            limit: the share of flips that may be spent in all after this test.
            possible: the flips in which the test could fire at all.
            middle: count flips that are equal to the observed one by half (the mid-p of
                H. O. Lancaster, Significance tests in discrete distributions, 1961), so that
                few pairs can decide; the error is then kept on average and not in every case.
            widened: how much further than by chance alone the statistic may move; the observed
                one is held against flips that are so much larger, and fewer flips are spent.
            known: the p-value of every flip where it is known exactly; what was spent before is
                added.
        """
        fresh = ~self._spent if possible is None else ~self._spent & possible
        if known is None:
            known = _places(statistic, np.sort(statistic[fresh] * widened), middle=middle)
        shares = self.spent + known
        firing = fresh & (shares <= limit)
        if self._fired is None and firing[0]:
            self._fired = TestOutcome(p=float(shares[0]), fires=True)
        self._spent |= firing
        return self._fired or TestOutcome(p=float(shares[0]) if fresh[0] else 1.0, fires=False)


def _places(statistic: Floats, others: Floats, *, middle: bool) -> Floats:
    """Return for each flip the share of all flips whose value, in `others`, is not smaller."""
    above = len(others) - np.searchsorted(others, statistic, side="right")
    reached = len(others) - np.searchsorted(others, statistic, side="left")
    found: Floats = ((above + reached) / 2 if middle else reached) / len(statistic)
    return found
