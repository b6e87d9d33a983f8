"""How alike texts are by the character n-grams they share."""

from __future__ import annotations

import numpy as np

from self_improve.tokens import Incidence, Numbers

MOST_TEXTS = 500
"""Only so many texts of a cell are compared with each other."""

_MOST_FLAGS = 4_000_000


def earlier_twins(incidence: Incidence, least: float) -> dict[int, int]:
    """Return each text that is as alike as `least` to an earlier one, with the most alike.

    Of more than `MOST_TEXTS` texts the first ones are looked at.
    """
    inside = _few(incidence)
    shared = np.bincount(inside.owners[_repeated(inside)], minlength=inside.count)
    # Two texts that are so alike share at least so many n-grams of each: most have too few.
    texts = np.nonzero((inside.sizes > 0) & (shared >= least * inside.sizes))[0]
    if len(texts) < 2:
        return {}
    alike = np.tril(jaccard(_of(inside, texts)), -1)
    twins = alike.argmax(axis=1)
    rows = np.nonzero(alike.max(axis=1) >= least)[0]
    return {int(texts[row]): int(texts[twins[row]]) for row in rows}


def jaccard(incidence: Incidence) -> Numbers:
    """Return the Jaccard similarity of every two texts (n by n).

    It is the number of n-grams in both over the number in either (Jaccard 1912; for text by
    n-grams: Broder 1997, "On the resemblance and containment of documents").
    """
    sizes = incidence.sizes
    shared = _shared(incidence)
    np.fill_diagonal(shared, sizes)
    either = sizes[:, None] + sizes[None, :] - shared
    found: Numbers = np.divide(shared, either, out=np.zeros(either.shape), where=either > 0)
    return found


def _few(incidence: Incidence) -> Incidence:
    if incidence.count <= MOST_TEXTS:
        return incidence
    return _of(incidence, np.arange(MOST_TEXTS))


def _of(incidence: Incidence, texts: Numbers) -> Incidence:
    """Return the n-grams of some of the texts, which are numbered anew."""
    numbers = np.full(incidence.count, -1)
    numbers[texts] = np.arange(len(texts))
    owners = numbers[incidence.owners]
    return Incidence(incidence.hashes[owners >= 0], owners[owners >= 0], len(texts))


def _repeated(incidence: Incidence) -> Numbers:
    """Return which n-grams stand in more than one text."""
    found = np.zeros(len(incidence.hashes), bool)
    again = incidence.hashes[1:] == incidence.hashes[:-1]
    found[1:] = again
    found[:-1] |= again
    return found


def _shared(incidence: Incidence) -> Numbers:
    """Return the number of n-grams that every two texts share."""
    count = incidence.count
    shared = np.zeros((count, count), np.int64)
    # What only one text holds is shared by none, so such n-grams get no column.
    kept = _repeated(incidence)
    if not kept.any():
        return shared
    hashes, owners = incidence.hashes[kept], incidence.owners[kept]
    columns = np.cumsum(np.concatenate(([False], hashes[1:] != hashes[:-1])))
    width = max(_MOST_FLAGS // count // 64, 1) * 64
    for first in range(0, int(columns[-1]) + 1, width):
        start, end = np.searchsorted(columns, (first, first + width))
        flags = np.zeros((count, -(-(int(columns[end - 1]) + 1 - first) // 64) * 64), bool)
        flags[owners[start:end], columns[start:end] - first] = True
        _add_shared(shared, np.packbits(flags, axis=1).view(np.uint64))
    return shared


def _add_shared(shared: Numbers, bits: Numbers) -> None:
    """Add to `shared` the number of bits that every two rows have in common."""
    rows = max(_MOST_FLAGS // bits.size, 1)
    for first in range(0, len(bits), rows):
        both = bits[first : first + rows, None, :] & bits[None, :, :]
        shared[first : first + rows] += np.bitwise_count(both).sum(axis=2, dtype=np.int64)
