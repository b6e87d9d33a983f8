"""How alike texts are by the character n-grams they share."""

from __future__ import annotations

import numpy as np

from self_improve.tokens import Incidence, Numbers

MOST_TEXTS = 500
"""Only so many texts of a cell are compared with each other."""

_MOST_FLAGS = 4_000_000


def jaccard(incidence: Incidence) -> Numbers:
    """Return the Jaccard similarity of every two texts (n by n, at most `MOST_TEXTS`).

    It is the number of n-grams in both over the number in either (Jaccard 1912; for text by
    n-grams: Broder 1997, "On the resemblance and containment of documents").
    """
    count = min(incidence.count, MOST_TEXTS)
    sizes = incidence.sizes[:count]
    shared = _shared(incidence, count)
    np.fill_diagonal(shared, sizes)
    either = sizes[:, None] + sizes[None, :] - shared
    found: Numbers = np.divide(shared, either, out=np.zeros(either.shape), where=either > 0)
    return found


def earlier_twins(incidence: Incidence, least: float) -> dict[int, int]:
    """Return each text that is as alike as `least` to an earlier one, with the most alike."""
    if incidence.count < 2:
        return {}
    alike = np.tril(jaccard(incidence), -1)
    twins = alike.argmax(axis=1)
    rows = np.nonzero(alike.max(axis=1) >= least)[0]
    return {int(row): int(twins[row]) for row in rows}


def _shared(incidence: Incidence, count: int) -> Numbers:
    """Return the number of n-grams that every two texts share."""
    hashes, owners = incidence.hashes, incidence.owners
    if count < incidence.count:
        hashes, owners = hashes[owners < count], owners[owners < count]
    shared = np.zeros((count, count), np.int64)
    again = hashes[1:] == hashes[:-1]
    if not again.any():
        return shared
    # What only one text holds is shared by none, so such n-grams get no column.
    kept = np.concatenate((again, [False])) | np.concatenate(([False], again))
    begins = np.concatenate(([True], ~again))[kept]
    owners, columns = owners[kept], np.cumsum(begins) - 1
    width = max(_MOST_FLAGS // count, 64)
    for first in range(0, int(columns[-1]) + 1, width):
        start, end = np.searchsorted(columns, (first, first + width))
        flags = np.zeros(
            (count, min(width, -(-(int(columns[end - 1]) + 1 - first) // 64) * 64)), bool
        )
        flags[owners[start:end], columns[start:end] - first] = True
        _add_shared(shared, np.packbits(flags, axis=1).view(np.uint64))
    return shared


def _add_shared(shared: Numbers, bits: Numbers) -> None:
    """Add to `shared` the number of bits that every two rows have in common."""
    rows = max(_MOST_FLAGS // bits.size, 1)
    for first in range(0, len(bits), rows):
        both = bits[first : first + rows, None, :] & bits[None, :, :]
        shared[first : first + rows] += np.bitwise_count(both).sum(axis=2, dtype=np.int64)
