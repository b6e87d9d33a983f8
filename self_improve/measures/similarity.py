"""How alike texts are by the character n-grams they share."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from self_improve.measures.text_groups import Incidence
from self_improve.measures.tokens import Numbers

MOST_TEXTS = 500
"""At most this many texts of a cell are compared with each other."""

_MOST_WORDS = 1_000_000


def earlier_twins(incidence: Incidence, least: float) -> dict[int, int]:
    """Return each text that is as alike as `least` to an earlier one, with the most alike.

    Of more than `MOST_TEXTS` texts only the first ones are compared.
    """
    alike = np.tril(jaccard(_few(incidence)), -1)
    most = alike.max(axis=1, initial=0)
    rows = np.nonzero((most >= least) & (most > 0))[0]
    return {int(row): int(alike[row].argmax()) for row in rows}


def jaccard(incidence: Incidence) -> Numbers:
    """Return the Jaccard similarity of every two texts (n by n).

    It is the number of n-grams in both over the number in either (Jaccard 1912; for text by
    n-grams: Broder 1997, "On the resemblance and containment of documents").
    """
    sizes = incidence.sizes
    shared = _shared(incidence)
    np.fill_diagonal(shared, sizes)
    either = sizes[:, None] + sizes[None, :] - shared
    alike: Numbers = np.divide(shared, either, out=np.zeros(either.shape), where=either > 0)
    return alike


def _few(incidence: Incidence) -> Incidence:
    """Return the n-grams of the first texts, if there are too many."""
    if incidence.count <= MOST_TEXTS:
        return incidence
    inside = incidence.owners < MOST_TEXTS
    return Incidence(incidence.hashes[inside], incidence.owners[inside], MOST_TEXTS)


def _repeated(incidence: Incidence) -> Numbers:
    """Return which n-grams are in more than one text."""
    repeated = np.zeros(len(incidence.hashes), bool)
    again = incidence.hashes[1:] == incidence.hashes[:-1]
    repeated[1:] = again
    repeated[:-1] |= again
    return repeated


def _shared(incidence: Incidence) -> Numbers:
    """Return the number of n-grams that every two texts share."""
    count = incidence.count
    shared = np.zeros((count, count), np.int64)
    # N-grams of a single text are not shared, so they get no column.
    repeated = _repeated(incidence)
    if not repeated.any():
        return shared
    hashes, owners = incidence.hashes[repeated], incidence.owners[repeated]
    columns = np.cumsum(np.concatenate(([False], hashes[1:] != hashes[:-1])))
    # Each column is a bit; what two texts share are the bits that both have.
    words = max(_MOST_WORDS // (count * count), 1)
    width = 64 * words
    every = np.arange(0, int(columns[-1]) + width + 1, width)
    for first, (start, end) in zip(every, pairwise(np.searchsorted(columns, every)), strict=False):
        part = columns[start:end] - first
        flags = np.zeros((count, -(-(int(part[-1]) + 1) // 64) * 64), bool)
        flags[owners[start:end], part] = True
        bits = np.ascontiguousarray(np.packbits(flags, axis=1).view(np.uint64).T)
        both = np.bitwise_count(bits[:, :, None] & bits[:, None, :])
        shared += both.sum(axis=0, dtype=np.uint32)
    return shared
