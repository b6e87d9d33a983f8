"""Texts that are measured together: their n-grams of tokens and characters, computed once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from self_improve.measures.tokens import (
    Numbers,
    begins_with_words,
    codes_of,
    folded,
    is_spaced,
    scripts_among,
    split,
    squeezed,
    words,
)

_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_BACK = np.uint64(0xD6E8FEB86659FD93)
# The constants of xxHash32, odd so that nothing is lost.
_MIX_OF_32, _MIX_BACK_OF_32 = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
_HALF_OF_32 = np.uint32(15)
_NO_IDS = np.zeros(0, np.uint64)
_SEPARATOR = "\x00"
_BUCKETS_OF_A_PROFILE = 12


class Text:
    """A string whose tokens are computed once, when first needed. Equal only to itself."""

    __slots__ = ("_folded", "_ids", "_tokens", "string")

    def __init__(self, string: str) -> None:
        self.string = string
        self._folded: str | None = None
        self._tokens: list[str] | None = None
        self._ids: Numbers | None = None

    @property
    def folded(self) -> str:
        """The text without differences of case, width and spacing."""
        if self._folded is None:
            self._folded = squeezed(folded(self.string))
        return self._folded

    @property
    def tokens(self) -> list[str]:
        """The tokens."""
        if self._tokens is None:
            self._tokens = split(self.folded)
        return self._tokens

    @property
    def ids(self) -> Numbers:
        """The tokens as 64-bit numbers, equal for equal tokens within this process."""
        if self._ids is None:
            hashes = np.fromiter(map(hash, self.tokens), np.int64, len(self.tokens))
            self._ids = hashes.view(np.uint64)
        return self._ids

    @property
    def name(self) -> str:
        """The tokens in one line: equal for two names that differ only in signs and case."""
        return " ".join(self.tokens)

    def has_words(self, least: float) -> bool:
        """Whether the text is at least `least` words long."""
        if begins_with_words(self.string, least):
            return True
        if is_spaced(self.folded):
            return len(self.tokens) >= least
        return words(self.tokens) >= least


class Pool:
    """The texts of one cell: equal strings share their tokens, equal groups their n-grams."""

    def __init__(self) -> None:
        self._texts: dict[str, Text] = {}
        self._groups: dict[tuple[int, ...], Group] = {}

    def text(self, string: str) -> Text:
        """Return the text of a string."""
        text = self._texts.get(string)
        if text is None:
            text = self._texts[string] = Text(string)
        return text

    def group(self, texts: Sequence[Text]) -> Group:
        """Return the group of these texts, in this order."""
        key = tuple(map(id, texts))
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(texts)
        return group


@dataclass(frozen=True)
class Grams:
    """The n-grams of several texts: the hash, the text and the first token's index of each."""

    hashes: Numbers
    owners: Numbers
    starts: Numbers


@dataclass(frozen=True)
class Incidence:
    """Which n-grams occur in which texts, each pair once, sorted by n-gram and then by text."""

    hashes: Numbers
    owners: Numbers
    count: int

    @cached_property
    def sizes(self) -> Numbers:
        """The number of different n-grams of each text."""
        return np.bincount(self.owners, minlength=self.count)


class Group:
    """Texts that are measured together; what several metrics need is computed once."""

    def __init__(self, texts: Sequence[Text]) -> None:
        self.texts = tuple(texts)
        self._grams: dict[int, Grams] = {}

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def _ids(self) -> tuple[Numbers, Numbers, Numbers]:
        counts = np.array([len(text.ids) for text in self.texts], np.int64)
        ids = np.concatenate([_NO_IDS, *(text.ids for text in self.texts)])
        owners = np.repeat(np.arange(len(self.texts)), counts)
        first = np.repeat(np.cumsum(counts) - counts, counts)
        return ids, owners, np.arange(len(ids)) - first

    def grams(self, n: int) -> Grams:
        """Return the n-grams of tokens; none crosses from one text into the next."""
        if n not in self._grams:
            ids, owners, starts = self._ids
            last = max(len(ids) - n + 1, 0)
            inside = owners[:last] == owners[len(owners) - last :]
            self._grams[n] = Grams(
                run_hashes(ids, n)[inside], owners[:last][inside], starts[:last][inside]
            )
        return self._grams[n]

    @cached_property
    def characters(self) -> Incidence:
        """The 4-grams of characters, after folding."""
        return character_grams([text.folded for text in self.texts])

    @cached_property
    def joined(self) -> str:
        """All texts in one, to check at once whether something occurs in any of them."""
        return "\n".join(text.string for text in self.texts)

    @cached_property
    def _joined(self) -> Numbers:
        return codes_of(_SEPARATOR.join((*(text.folded for text in self.texts), "")))

    @cached_property
    def scripts(self) -> Mapping[str, float]:
        """The share of each script among the letters."""
        return scripts_among(self._joined)

    @cached_property
    def counts(self) -> Numbers:
        """How often each 3-gram of characters occurs, in 4,096 buckets."""
        hashes, inside = _windows(self._joined, 3)
        return np.bincount(_buckets(hashes[inside]), minlength=1 << _BUCKETS_OF_A_PROFILE)

    @cached_property
    def profile(self) -> Numbers:
        """The same as a unit vector."""
        profile: Numbers = unit_rows(self.counts[None])[0]
        return profile


def profiles(texts: Sequence[str]) -> Numbers:
    """Return the profiles of folded texts (see `Group.profile`), one a row."""
    return unit_rows(counts_of(texts))


def counts_of(texts: Sequence[str]) -> Numbers:
    """Return how often folded texts hold each 3-gram (see `Group.counts`), one a row."""
    lengths = [len(text) + 1 for text in texts]
    hashes, inside = _windows(codes_of(_SEPARATOR.join((*texts, ""))), 3)
    owners = np.repeat(np.arange(len(texts)), lengths)[: len(hashes)][inside]
    places = owners << _BUCKETS_OF_A_PROFILE | _buckets(hashes[inside])
    counts = np.bincount(places, minlength=len(texts) << _BUCKETS_OF_A_PROFILE)
    return counts.reshape(len(texts), -1)


def unit_rows(counts: Numbers) -> Numbers:
    """Return each row as a unit vector."""
    rows = counts.astype(np.float64)
    sizes = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Numbers = np.divide(rows, sizes, out=np.zeros_like(rows), where=sizes > 0)
    return unit


def _buckets(hashes: Numbers) -> Numbers:
    numbers: Numbers = (hashes >> np.uint32(32 - _BUCKETS_OF_A_PROFILE)).astype(np.int64)
    return numbers


def run_hashes(ids: Numbers, n: int) -> Numbers:
    """Return a 64-bit hash of every run of `n` numbers in `ids`."""
    last = max(len(ids) - n + 1, 0)
    hashes = np.zeros(last, np.uint64)
    for offset in range(n):
        hashes += ids[offset : offset + last]
        hashes *= _MIX
        hashes ^= hashes >> np.uint64(29)
    return hashes * _MIX_BACK


def distinct(numbers: Numbers) -> Numbers:
    """Return the different ones among `numbers`, sorted: sorting is quicker than numpy's table."""
    ordered = np.sort(numbers)
    if len(ordered) < 2:
        return ordered
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))]


def contained(hashes: Numbers, others: Numbers) -> Numbers:
    """Return which of `hashes` occur in `others`, which are sorted."""
    if not len(others):
        return np.zeros(len(hashes), bool)
    indexes = np.searchsorted(others, hashes)
    indexes[indexes == len(others)] = 0
    mask: Numbers = others[indexes] == hashes
    return mask


def character_grams(texts: Sequence[str], n: int = 4) -> Incidence:
    """Return the n-grams of characters of `texts`, each once a text.

    The hashes have 32 bits and depend on nothing but the characters.
    """
    lengths = [len(text) + 1 for text in texts]
    every, inside = _windows(codes_of(_SEPARATOR.join((*texts, ""))), n)
    owners = np.repeat(np.arange(len(texts)), lengths)[: len(every)][inside]
    hashes = every[inside]
    order = _sorting(hashes)
    hashes, owners = hashes[order], owners[order]
    if len(hashes):
        # The owners of one n-gram are in order, so repetitions are side by side.
        differs = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
        first = np.concatenate(([True], differs))
        hashes, owners = hashes[first], owners[first]
    return Incidence(hashes, owners, len(texts))


def _sorting(hashes: Numbers) -> Numbers:
    """Return the indexes that sort 32-bit numbers, equal ones in their order.

    Two passes of 16 bits each, for which numpy has a radix sort, take half the time of one of 32.
    """
    by_low = np.argsort((hashes & np.uint32(0xFFFF)).astype(np.uint16), kind="stable")
    high = (hashes >> np.uint32(16)).astype(np.uint16)
    indexes: Numbers = by_low[np.argsort(high[by_low], kind="stable")]
    return indexes


def _windows(codes: Numbers, n: int) -> tuple[Numbers, Numbers]:
    """Return a 32-bit hash of every run of `n` codes, and which runs cross no separator."""
    last = max(len(codes) - n + 1, 0)
    hashes = np.zeros(last, np.uint32)
    for offset in range(n):
        hashes += codes[offset : offset + last]
        hashes *= _MIX_OF_32
        hashes ^= hashes >> _HALF_OF_32
    inside = np.ones(last, bool)
    ends = np.nonzero(codes == 0)[0]
    for offset in range(n):
        crossing = ends - offset
        inside[crossing[(crossing >= 0) & (crossing < last)]] = False
    return hashes * _MIX_BACK_OF_32, inside
