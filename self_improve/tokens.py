"""Text as numbers: words of any script, n-grams of words and of characters, scripts.

A token is a Unicode word after NFKC and casefold. A character of a script that is written without
spaces, and a Hangul syllable, is a token of its own, so that a measure of n-grams means about the
same in Chinese, Japanese, Thai, Arabic and German. Combining marks stay with their letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]

_HAN_AND_KANA = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f"
    "\u31a0-\u31bf\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U0001b000-\U0001b16f"
    "\U00020000-\U0003fffd"
)
_HANGUL = "\u1100-\u11ff\u3131-\u318e\ua960-\ua97c\uac00-\ud7a3\ud7b0-\ud7fb"
_THAI_AND_LIKE = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17dc\uaa60-\uaa7f"
_JOINERS = "\u200c\u200d"

_SEPARATOR = "\x00"
_ASCII_WORDS = bytes(c if c < 128 and (chr(c).isalnum() or c == 95) else 32 for c in range(256))
_PLAIN_WORD = re.compile(r"\w+")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
# What lies between is Latin, Greek, Cyrillic, punctuation and symbols.
_NEEDS_CARE = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u1dff\u200c\u200d\u20d0-\u20ff\u2c7f-\U0010ffff]"
)
_TWO_A_WORD = re.compile(f"[{_HAN_AND_KANA}{_HANGUL}]")
_FOUR_A_WORD = re.compile(f"[{_THAI_AND_LIKE}]")

_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_BACK = np.uint64(0xD6E8FEB86659FD93)
# The constants of xxHash32, odd so that nothing is lost.
_MIX_OF_32, _MIX_BACK_OF_32 = np.uint32(0x9E3779B1), np.uint32(0x85EBCA77)
_HALF_OF_32 = np.uint32(15)
_NO_IDS = np.zeros(0, np.uint64)
_FEW_CODES = 0x3000
_BEGINNING = 80
_BUCKETS_OF_A_PROFILE = 12


@cache
def _word() -> re.Pattern[str]:
    """Return the pattern of a token in text that is not plain Latin, Greek or Cyrillic."""
    marks = "".join(_ranges({"Mn", "Mc", "Me"})) + _JOINERS
    one = f"{_HAN_AND_KANA}{_HANGUL}{_THAI_AND_LIKE}"
    # Tried in this order: a character that is a word by itself, then a run of the other letters.
    return re.compile(f"[{one}][{marks}]*|(?:(?![{one}])[\\w{marks}])+")


def _ranges(categories: set[str]) -> Iterator[str]:
    start = None
    for code in (*range(0x300, 0x20000), *range(0xE0100, 0xE01F1)):
        inside = unicodedata.category(chr(code)) in categories
        if inside and start is None:
            start = code
        elif not inside and start is not None:
            yield f"{chr(start)}-{chr(code - 1)}"
            start = None


def folded(text: str) -> str:
    """Return `text` without differences of case and of width."""
    if text.isascii():
        return text.lower()
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return text.casefold()


def _squeezed(text: str) -> str:
    """Return folded text with single blanks between its words."""
    if "  " in text or not text.isprintable():
        return " ".join(text.split())
    return text.strip()


def _pattern(text: str) -> re.Pattern[str]:
    return _word() if _NEEDS_CARE.search(text) else _PLAIN_WORD


def tokens(text: str) -> list[str]:
    """Return the tokens of `text`, in order."""
    return _split(folded(text))


def _split(plain: str) -> list[str]:
    if plain.isascii() or all(map(_is_between, set(_BEYOND_ASCII.findall(plain)))):
        # Three times as fast as a pattern; dashes and quotation marks become question marks.
        told = plain.encode("ascii", "replace")
        return told.translate(_ASCII_WORDS).decode("ascii").split()
    return _pattern(plain).findall(plain)


@lru_cache(maxsize=1024)
def _is_between(character: str) -> bool:
    """Whether a character beyond ASCII can only stand between words."""
    return not character.isalnum() and _NEEDS_CARE.match(character) is None


def words(found: Sequence[str]) -> float:
    """Return the length of a text in words by its tokens, comparable between scripts.

    Scripts without spaces are counted by their characters: two Han characters, kana or Hangul
    syllables, or four Thai, Lao, Khmer or Burmese letters, are about one word.
    """
    two = sum(_TWO_A_WORD.match(t) is not None for t in found)
    four = sum(_FOUR_A_WORD.match(t) is not None for t in found)
    return len(found) - two / 2 - four * 3 / 4


def spans(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where tokens `start` to `end` (exclusive) stand in `text` as it was written.

    None where folding changed the number of tokens, so that their places are not known.
    """
    found = list((_word() if not text.isascii() else re.compile(r"\w+")).finditer(text))
    told = tokens(text)
    if len(found) != len(told) or not start < end <= len(found):
        return None
    first, last = found[start].start(), found[end - 1].end()
    # Folding may also have moved a mark from what is between two tokens into one of them.
    return (first, last) if tokens(text[first:last]) == told[start:end] else None


@lru_cache(maxsize=8192)
def script(character: str) -> str | None:
    """Return the script of a letter, as the Unicode name begins; None for what is no letter."""
    if unicodedata.category(character)[0] != "L":
        return None
    name = unicodedata.name(character, "")
    return name.split(" ", 1)[0].split("-", 1)[0] or None


def scripts(text: str) -> dict[str, float]:
    """Return the share of each script among the letters of `text`; empty without letters."""
    return _scripts(_codes(folded(text)))


def _scripts(codes: Numbers) -> dict[str, float]:
    counts: Counter[str] = Counter()
    found, numbers = _counted(codes)
    for code, count in zip(found.tolist(), numbers.tolist(), strict=True):
        name = script(chr(code))
        if name is not None:
            counts[name] += count
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def _counted(codes: Numbers) -> tuple[Numbers, Numbers]:
    if not len(codes) or codes.max() > _FEW_CODES:
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes)
    found = np.nonzero(counts)[0]
    return found, counts[found]


def main_script(shares: Mapping[str, float]) -> str | None:
    """Return the script with the largest share."""
    return max(sorted(shares), key=lambda name: shares[name], default=None)


def writes_spaces(name: str) -> bool:
    """Whether words of a script are written apart and it is an alphabet."""
    return name not in {
        "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR",
    }  # fmt: skip


def _codes(text: str) -> Numbers:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


class Text:
    """A string whose tokens are found once, when first asked for. Equal only to itself."""

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
            self._folded = _squeezed(folded(self.string))
        return self._folded

    @property
    def tokens(self) -> list[str]:
        """The tokens."""
        if self._tokens is None:
            self._tokens = _split(self.folded)
        return self._tokens

    @property
    def ids(self) -> Numbers:
        """The tokens as 64-bit numbers, equal for equal tokens within this process."""
        if self._ids is None:
            found = np.fromiter(map(hash, self.tokens), np.int64, len(self.tokens))
            self._ids = found.view(np.uint64)
        return self._ids

    @property
    def name(self) -> str:
        """The tokens in one line: equal for two names that differ only in signs and case."""
        return " ".join(self.tokens)

    def has_words(self, least: float) -> bool:
        """Whether the text is at least so many words long."""
        # The beginning of most texts is enough to know it.
        begin = self.string[:_BEGINNING]
        if begin.isascii():
            if len(begin.encode("ascii").translate(_ASCII_WORDS).split()) >= least:
                return True
        elif not _NEEDS_CARE.search(begin) and len(_PLAIN_WORD.findall(begin)) >= least:
            return True
        if _NEEDS_CARE.search(self.folded) is None:
            return len(self.tokens) >= least
        return words(self.tokens) >= least


class Pool:
    """The texts of one cell: equal strings share their tokens, equal groups their n-grams."""

    def __init__(self) -> None:
        self._texts: dict[str, Text] = {}
        self._groups: dict[tuple[int, ...], Group] = {}

    def text(self, string: str) -> Text:
        """Return the text of a string."""
        found = self._texts.get(string)
        if found is None:
            found = self._texts[string] = Text(string)
        return found

    def group(self, texts: Sequence[Text]) -> Group:
        """Return the group of these texts, in this order."""
        key = tuple(map(id, texts))
        found = self._groups.get(key)
        if found is None:
            found = self._groups[key] = Group(texts)
        return found


@dataclass(frozen=True)
class Grams:
    """The n-grams of several texts: the hash of each, its text, and its first token's place."""

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
    """Texts that are measured together; what several measures need is computed once."""

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
        """Return the n-grams of tokens; none reaches from one text into the next."""
        if n not in self._grams:
            ids, owners, starts = self._ids
            last = max(len(ids) - n + 1, 0)
            inside = owners[:last] == owners[len(owners) - last :]
            self._grams[n] = Grams(
                mixed(ids, n)[inside], owners[:last][inside], starts[:last][inside]
            )
        return self._grams[n]

    @cached_property
    def characters(self) -> Incidence:
        """The 4-grams of characters, after folding."""
        return character_grams([text.folded for text in self.texts])

    @cached_property
    def joined(self) -> str:
        """All texts in one, to see at once whether something occurs in any of them."""
        return "\n".join(text.string for text in self.texts)

    @cached_property
    def _joined(self) -> Numbers:
        return _codes(_SEPARATOR.join((*(text.folded for text in self.texts), "")))

    @cached_property
    def scripts(self) -> Mapping[str, float]:
        """The share of each script among the letters."""
        return _scripts(self._joined)

    @cached_property
    def profile(self) -> Numbers:
        """How often each 3-gram of characters occurs, in 4,096 buckets, as a unit vector."""
        hashes, inside = _windows(self._joined, 3)
        shift = np.uint32(32 - _BUCKETS_OF_A_PROFILE)
        buckets = (hashes[inside] >> shift).astype(np.int64)
        counts = np.bincount(buckets, minlength=1 << _BUCKETS_OF_A_PROFILE).astype(np.float64)
        length = np.linalg.norm(counts)
        return counts / length if length else counts


def mixed(ids: Numbers, n: int) -> Numbers:
    """Return a 64-bit hash of every run of `n` numbers in `ids`."""
    last = max(len(ids) - n + 1, 0)
    found = np.zeros(last, np.uint64)
    for offset in range(n):
        found += ids[offset : offset + last]
        found *= _MIX
        found ^= found >> np.uint64(29)
    return found * _MIX_BACK


def distinct(numbers: Numbers) -> Numbers:
    """Return the different ones among `numbers`, sorted: sorting is quicker than numpy's table."""
    found = np.sort(numbers)
    if len(found) < 2:
        return found
    return found[np.concatenate(([True], found[1:] != found[:-1]))]


def among(hashes: Numbers, known: Numbers) -> Numbers:
    """Return which of `hashes` occur in `known`, which is sorted."""
    if not len(known):
        return np.zeros(len(hashes), bool)
    places = np.searchsorted(known, hashes)
    places[places == len(known)] = 0
    found: Numbers = known[places] == hashes
    return found


def character_grams(texts: Sequence[str], n: int = 4) -> Incidence:
    """Return the n-grams of characters of `texts`, each once a text.

    The hashes have 32 bits and depend on nothing but the characters.
    """
    lengths = [len(text) + 1 for text in texts]
    every, inside = _windows(_codes(_SEPARATOR.join((*texts, ""))), n)
    owners = np.repeat(np.arange(len(texts)), lengths)[: len(every)][inside]
    hashes = every[inside]
    order = _order(hashes)
    hashes, owners = hashes[order], owners[order]
    if len(hashes):
        # The owners of one n-gram are in order, so repetitions stand side by side.
        differs = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
        first = np.concatenate(([True], differs))
        hashes, owners = hashes[first], owners[first]
    return Incidence(hashes, owners, len(texts))


def _order(hashes: Numbers) -> Numbers:
    """Return the order that sorts 32-bit numbers, equal ones as they come.

    In two passes of 16 bits each, for which numpy has a radix sort: half the time of one of 32.
    """
    by_low = np.argsort((hashes & np.uint32(0xFFFF)).astype(np.uint16), kind="stable")
    high = (hashes >> np.uint32(16)).astype(np.uint16)
    found: Numbers = by_low[np.argsort(high[by_low], kind="stable")]
    return found


def _windows(codes: Numbers, n: int) -> tuple[Numbers, Numbers]:
    """Return a 32-bit hash of every run of `n` codes, and which runs cross no separator."""
    last = max(len(codes) - n + 1, 0)
    found = np.zeros(last, np.uint32)
    for offset in range(n):
        found += codes[offset : offset + last]
        found *= _MIX_OF_32
        found ^= found >> _HALF_OF_32
    inside = np.ones(last, bool)
    ends = np.nonzero(codes == 0)[0]
    for offset in range(n):
        crossing = ends - offset
        inside[crossing[(crossing >= 0) & (crossing < last)]] = False
    return found * _MIX_BACK_OF_32, inside
