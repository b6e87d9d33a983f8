"""Sign flips of paired differences: what chance alone could have shown if nothing was changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COUNT = 10_000
_ROWS = 512
_DIGITS = 9


@dataclass(frozen=True, kw_only=True)
class Flips:
    """Signs of shape (pairs, flips); the first flip leaves everything as it was observed.

    If the labels before and after mean nothing, every flip of the differences was as likely as
    the observed one, so the rank of a statistic among its flips is a test of exact size (R. A.
    Fisher, The Design of Experiments, 1935, chapter 3; for drawn flips with the observed one
    counted in, B. Phipson and G. K. Smyth, Permutation p-values should never be zero, 2010).
    `exact` means all flips, not a sample.
    """

    signs: NDArray[np.int8]
    exact: bool

    @property
    def count(self) -> int:
        """The number of flips, the observed one included."""
        return int(self.signs.shape[1])

    def sums(self, values: Floats) -> Floats:
        """Return the sum of `values` under every flip.

        Args:
            values: differences of shape (pairs, statistics).

        Returns:
            Sums of shape (statistics, flips), rounded so that equal sums are equal numbers.
        """
        total = np.zeros((values.shape[1], self.count))
        for start in range(0, len(values), _ROWS):
            rows = slice(start, start + _ROWS)
            for first in range(0, self.count, COUNT):
                columns = slice(first, first + COUNT)
                total[:, columns] += values[rows].T @ self.signs[rows, columns].astype(np.float64)
        return rounded(total, np.abs(values).sum(axis=0)[:, None])


def flips(pairs: int, *, seed: int, count: int = COUNT) -> Flips:
    """Return all flips of `pairs` pairs if there are at most `count`, else `count` random ones."""
    if pairs < 63 and 2**pairs <= count:
        numbers = np.arange(2**pairs)
        bits = (numbers[None, :] >> np.arange(pairs)[:, None]) & 1
        return Flips(signs=(1 - 2 * bits).astype(np.int8), exact=True)
    return drawn(pairs, seed=seed, count=count)


def drawn(pairs: int, *, seed: int, count: int = COUNT) -> Flips:
    """Return `count` random flips; those of the first pairs do not depend on how many follow."""
    words = -(-count // 64)
    # The raw bits of a generator stay the same from one version of numpy to the next.
    raw = np.random.PCG64(seed).random_raw(max(pairs, 1) * words).astype("<u8")
    bits = np.unpackbits(raw.view(np.uint8)).reshape(max(pairs, 1), words * 64)
    signs = (1 - 2 * bits[:pairs, :count].astype(np.int8)).astype(np.int8)
    signs[:, 0] = 1
    return Flips(signs=signs, exact=False)


def rounded(values: Floats, size: Floats | float) -> Floats:
    """Return `values` to nine digits of `size`: what differs by less is a rounding error."""
    unit = np.maximum(np.asarray(size, dtype=np.float64), 1e-300) * 10.0**-_DIGITS
    return np.round(values / unit) * unit


def two_sided(sums: Floats, *, widened: float = 1.0) -> float:
    """Return the share of flips at least as far from 0 as the observed one.

    Args:
        sums: a statistic under every flip, the observed one first.
        widened: how much more than by chance alone it moves between batches.
    """
    far = np.abs(sums)
    beyond = far[1:] * widened >= far[0]
    return float((1 + np.count_nonzero(beyond)) / len(far))
