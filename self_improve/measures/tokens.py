"""The tokens, words and scripts of a text in any language.

A token is a Unicode word after NFKC and casefold. A character of a script that is written without
spaces, and a Hangul syllable, is a token of its own, so that a measure of n-grams means about the
same in Chinese, Japanese, Thai, Arabic and German. Combining marks stay with their letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, lru_cache
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

_ASCII_WORDS = bytes(c if c < 128 and (chr(c).isalnum() or c == 95) else 32 for c in range(256))
_PLAIN_WORD = re.compile(r"\w+")
_BEYOND_ASCII = re.compile("[^\x00-\x7f]")
# All others are Latin, Greek, Cyrillic, punctuation and symbols.
_NEEDS_CARE = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u0591-\u1dff\u200c\u200d\u20d0-\u20ff\u2c7f-\U0010ffff]"
)
_TWO_A_WORD = re.compile(f"[{_HAN_AND_KANA}{_HANGUL}]")
_FOUR_A_WORD = re.compile(f"[{_THAI_AND_LIKE}]")

_FEW_CODES = 0x3000
_CLOSING = frozenset({"Po", "Pe", "Pf"})
_BEGINNING = 80


def folded(text: str) -> str:
    """Return `text` without differences of case and of width."""
    if text.isascii():
        return text.lower()
    if not unicodedata.is_normalized("NFKC", text):
        text = unicodedata.normalize("NFKC", text)
    return text.casefold()


def squeezed(text: str) -> str:
    """Return folded text with single blanks between its words."""
    if "  " in text or not text.isprintable():
        return " ".join(text.split())
    return text.strip()


def tokens(text: str) -> list[str]:
    """Return the tokens of `text`, in order."""
    return split(folded(text))


def split(plain: str) -> list[str]:
    """Return the tokens of folded text, in order."""
    if plain.isascii() or all(map(_is_between, set(_BEYOND_ASCII.findall(plain)))):
        # Three times as fast as a pattern; dashes and quotation marks become question marks.
        return plain.encode("ascii", "replace").translate(_ASCII_WORDS).decode("ascii").split()
    return _pattern(plain).findall(plain)


def words(parts: Sequence[str]) -> float:
    """Return the length of a text in words by its tokens, comparable between scripts.

    Scripts without spaces are counted by their characters: two Han characters, kana or Hangul
    syllables, or four Thai, Lao, Khmer or Burmese letters, are about one word.
    """
    two = sum(_TWO_A_WORD.match(part) is not None for part in parts)
    four = sum(_FOUR_A_WORD.match(part) is not None for part in parts)
    return len(parts) - two / 2 - four * 3 / 4


def begins_with_words(text: str, least: float) -> bool:
    """Whether the first characters of `text` already hold at least that many words."""
    beginning = text[:_BEGINNING]
    if beginning.isascii():
        return len(beginning.encode("ascii").translate(_ASCII_WORDS).split()) >= least
    return is_spaced(beginning) and len(_PLAIN_WORD.findall(beginning)) >= least


def is_spaced(text: str) -> bool:
    """Whether every word of `text` is a plain run of letters of a script with spaces."""
    return _NEEDS_CARE.search(text) is None


def spans(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return where tokens `start` to `end` (exclusive) are in `text` as it was written.

    None where folding changed the number of tokens, so that their positions are unknown.
    """
    matches = list((_PLAIN_WORD if text.isascii() else _word()).finditer(text))
    parts = tokens(text)
    if len(matches) != len(parts) or not start < end <= len(matches):
        return None
    first, last = matches[start].start(), matches[end - 1].end()
    # Folding may also have moved a mark from between two tokens into one of them.
    return (first, last) if tokens(text[first:last]) == parts[start:end] else None


@lru_cache(maxsize=8192)
def script(character: str) -> str | None:
    """Return the script of a letter, as its Unicode name begins; None for other characters."""
    if unicodedata.category(character)[0] != "L":
        return None
    name = unicodedata.name(character, "")
    return name.split(" ", 1)[0].split("-", 1)[0] or None


def scripts(text: str) -> dict[str, float]:
    """Return the share of each script among the letters of `text`; empty without letters."""
    return scripts_among(codes_of(folded(text)))


def scripts_among(codes: Numbers) -> dict[str, float]:
    """Return the share of each script among the letters with these code points."""
    counts: Counter[str] = Counter()
    codes, numbers = _counted(codes)
    for code, count in zip(codes.tolist(), numbers.tolist(), strict=True):
        name = script(chr(code))
        if name is not None:
            counts[name] += count
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()}


def main_script(shares: Mapping[str, float]) -> str | None:
    """Return the script with the largest share."""
    return max(sorted(shares), key=lambda name: shares[name], default=None)


def writes_spaces(name: str) -> bool:
    """Whether a script is an alphabet that separates its words."""
    return name not in {
        "CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL", "THAI", "LAO", "KHMER", "MYANMAR",
    }  # fmt: skip


def is_closed(text: str) -> bool:
    """Whether a text that is not blank ends with a mark that closes a sentence or a bracket."""
    return unicodedata.category(text.rstrip()[-1]) in _CLOSING


def codes_of(text: str) -> Numbers:
    """Return the code points of `text`, a lone surrogate included."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _pattern(text: str) -> re.Pattern[str]:
    return _word() if _NEEDS_CARE.search(text) else _PLAIN_WORD


@cache
def _word() -> re.Pattern[str]:
    """Return the pattern of a token in text that is not only Latin, Greek or Cyrillic."""
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


@lru_cache(maxsize=1024)
def _is_between(character: str) -> bool:
    """Whether a character beyond ASCII can only be between words."""
    return not character.isalnum() and _NEEDS_CARE.match(character) is None


def _counted(codes: Numbers) -> tuple[Numbers, Numbers]:
    """Return the different codes, sorted, and how often each occurs."""
    if not len(codes) or codes.max() > _FEW_CODES:
        return np.unique(codes, return_counts=True)
    counts = np.bincount(codes)
    present = np.nonzero(counts)[0]
    return present, counts[present]
