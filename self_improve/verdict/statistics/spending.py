"""One error rate over several looks: each look may spend what the looks before it left."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from self_improve.verdict.statistics.flips import Bools, Floats

_CLOSE = 4.0
"""A p-value that is nearer to its limit than this many standard errors of the drawn flips might be
on the other side of it with other flips."""


@dataclass(frozen=True, kw_only=True)
class TestOutcome:
    """The outcome of a test: `p` includes the error that earlier looks spent."""

    p: float
    fires: bool


class RepeatedTest:
    """One test that is repeated at several looks, on the same flips.

    A flip is spent once the test fires in it. The test fires where its own share of flips, those
    spent before it included, stays within its limit. As the flips are equally likely if nothing
    was changed, the share of spent flips is the probability that the test fires by chance at any
    look (K. K. G. Lan and D. L. DeMets, Discrete sequential boundaries for clinical trials, 1983;
    here with the distribution of the flips in place of the normal one).

    `is_close` means that the outcome of a look might be another one with other flips.
    """

    def __init__(self, flips: int) -> None:
        self._spent: Bools = np.zeros(flips, dtype=np.bool_)
        self._fired: TestOutcome | None = None
        self.is_close = False

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
        exact_p: Floats | None = None,
    ) -> TestOutcome:
        """Test whether the observed statistic, the first one, is among the largest.

        Once the test has fired, later looks return the same outcome.

        Args:
            statistic: its values under every flip; large values speak for firing.
            limit: the share of flips that may be spent in total after this look.
            possible: the flips in which the test could fire at all.
            middle: count flips that are equal to the observed one by half (the mid-p of
                H. O. Lancaster, Significance tests in discrete distributions, 1961), so that
                few pairs can decide; the error is then kept on average and not in every case.
            widened: how much further than by chance alone the statistic may move; the observed
                one is compared with flips that are larger by this factor, so fewer are spent.
            exact_p: the p-value of every flip where it is known exactly, without what earlier
                looks spent.
        """
        fresh = ~self._spent if possible is None else ~self._spent & possible
        is_counted = exact_p is None
        if exact_p is None:
            exact_p = _upper_shares(statistic, np.sort(statistic[fresh] * widened), middle=middle)
        shares = self.spent + exact_p
        firing = fresh & (shares <= limit)
        if is_counted and fresh[0] and self._fired is None:
            self.is_close |= abs(float(shares[0]) - limit) <= _CLOSE * _error(limit, len(shares))
        if self._fired is None and firing[0]:
            self._fired = TestOutcome(p=float(shares[0]), fires=True)
        self._spent |= firing
        return self._fired or TestOutcome(p=float(shares[0]) if fresh[0] else 1.0, fires=False)


def _error(share: float, flips: int) -> float:
    """Return the standard error of a share that is counted among drawn flips."""
    return math.sqrt(max(share, 1 / flips) / flips)


def _upper_shares(statistic: Floats, others: Floats, *, middle: bool) -> Floats:
    """Return for each flip the share of all flips whose value, in `others`, is not smaller."""
    above = len(others) - np.searchsorted(others, statistic, side="right")
    reached = len(others) - np.searchsorted(others, statistic, side="left")
    shares: Floats = ((above + reached) / 2 if middle else reached) / len(statistic)
    return shares
