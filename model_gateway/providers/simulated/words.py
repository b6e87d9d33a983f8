"""The words of a plan in any script, without knowledge of a language."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from model_gateway.providers.simulated import money
from model_gateway.providers.simulated.draw import Stream

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u3005\u3006"
_HIRAGANA = "\u3041-\u309f"
_KATAKANA = "\u30a1-\u30fa\u30fc-\u30ff\uff66-\uff9f"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
_SIGNS_ABOVE = (
    "\u0e31\u0e33-\u0e3a\u0e45-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ecd\u102b-\u103e\u17b4-\u17d3"
)
_EAST_ASIAN = _HAN + _HIRAGANA + _KATAKANA
_SPACELESS = _HAN + _HIRAGANA + _KATAKANA + _UNSPACED
# Vowel signs and accents are not \w, but they are parts of words.
_MARKS = "\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963"
_LETTER = f"(?:[^\\W_{_SPACELESS}]|[{_MARKS}\u0966-\u0dff])"
_WORD = f"{_LETTER}+(?:['\u2019.,\u2010\u2011-]{_LETTER}+)*[%\u066a\uff05]?"
_CHUNK = re.compile(
    f"[{_KATAKANA}]+|[{_HAN}]{{1,2}}[{_HIRAGANA}]{{0,3}}|[{_HIRAGANA}]{{1,3}}"
    f"|(?:[{_UNSPACED}][{_SIGNS_ABOVE}]*){{1,4}}|{_WORD}"
)
_SPACELESS_CHARACTER = re.compile(f"[{_SPACELESS}]")
_HIRAGANA_TAIL = re.compile(f"[{_HIRAGANA}]+$")
_MARKUP = re.compile(r"<[^<>\n]{1,80}>|https?://\S+|```|[*#_|>`]+")
_BREAK = re.compile(
    r"[.!?;:](?=\s|$)|,(?=\s|$)|[()\[\]{}\"\u00ab\u00bb\u201c-\u201e\n\r\t\u2026\u2013\u2014]"
    r"|[\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\uff08\uff09\u300c-\u300f"
    r"\u060c\u061b\u061f\u06d4\u0964\u0965]"
)
PERCENT = re.compile(r"\d+(?:[.,]\d+)?\s?[%\u066a\uff05]")
_COMMAS = ",\u3001\uff0c\u060c"
_STOPS = ".\u3002\u06d4\u0964"
_LONGEST_TEXT = 120_000
_TOO_LONG = 2
_ENOUGH_CONTENT = 24
_LONG_WORDS = (6, 5, 4, 3)


def chunks(text: str) -> list[str]:
    """Return the words of `text`; where no spaces are written, pieces of about two characters."""
    return _CHUNK.findall(text)


def size(text: str) -> int:
    """Return the length of `text` in words, or in pieces where no spaces are written."""
    return len(_CHUNK.findall(text))


def join(parts: Sequence[str]) -> str:
    """Return the words as running text, with spaces only where the script has them."""
    text = " ".join(parts)
    if text.isascii() or _SPACELESS_CHARACTER.search(text) is None:
        return text
    out = [parts[0]]
    for before, after in pairwise(parts):
        closed = _SPACELESS_CHARACTER.match(before[-1]) or _SPACELESS_CHARACTER.match(after[0])
        out.append(after if closed else f" {after}")
    return "".join(out)


def capitalised(text: str) -> str:
    """Return `text` with its first letter as a capital, where the script has capitals."""
    return text[:1].upper() + text[1:]


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """The vocabulary of a text: its clauses as words, its comma and full stop."""

    clauses: tuple[tuple[str, ...], ...]
    comma: str
    stop: str
    text: str

    @classmethod
    def of(cls, text: str, fallback: Iterable[str] = ()) -> Lexicon:
        """Read `text`, or the words of `fallback` if it holds no word."""
        plain = _MARKUP.sub(" ", text[:_LONGEST_TEXT])
        clauses = [tuple(parts) for part in _BREAK.split(plain) if (parts := chunks(part))]
        long = [clause for clause in clauses if len(clause) > 1]
        spare = [tuple(chunks(word.replace("_", " "))) for word in fallback]
        return cls(
            clauses=tuple(long or clauses or [part for part in spare if part] or [("1",)]),
            comma=_commonest(_COMMAS, plain, {_EAST_ASIAN: "\u3001", _UNSPACED: " "}),
            stop=_commonest(_STOPS, plain, {_EAST_ASIAN: "\u3002", _UNSPACED: ""}),
            text=text,
        )

    @cached_property
    def percents(self) -> frozenset[str]:
        """The percentages in the text, without their signs."""
        return frozenset(re.sub(r"\D", "", span) for span in PERCENT.findall(self.text))

    @cached_property
    def currencies(self) -> tuple[str, ...]:
        """The currencies that the text mentions."""
        return money.currencies(self.text[:_LONGEST_TEXT])

    @cached_property
    def content(self) -> tuple[str, ...]:
        """The longer and rarer words, which names consist of."""
        counts = Counter(word for clause in self.clauses for word in clause)
        stems = {_stem(word): count for word, count in counts.items()}
        words = [word for word in stems if not any(sign.isdigit() for sign in word)]
        rare = max(2, sorted(stems.values())[len(stems) * 9 // 10])
        for least in _LONG_WORDS:
            chosen = [w for w in words if _weight(w) >= least and stems[w] <= rare]
            if len(chosen) >= _ENOUGH_CONTENT:
                return tuple(chosen)
        return tuple(words or stems)

    @cached_property
    def size(self) -> int:
        """The number of words."""
        return sum(map(len, self.clauses))

    @cached_property
    def spaceless(self) -> bool:
        """Whether most of the text is in a script without spaces."""
        words = [word for clause in self.clauses for word in clause]
        return 2 * sum(_SPACELESS_CHARACTER.match(word) is not None for word in words) > len(words)

    def fragment(self, stream: Stream, want: int) -> list[str]:
        """Return a clause of the text, or `want` words in a row from inside a longer one.

        A clause that is longer by one word stays whole.
        """
        # One number for both: its whole part chooses the clause, its fraction where to begin.
        drawn = stream.unit() * len(self.clauses)
        clause = self.clauses[int(drawn)]
        over = len(clause) - want
        if over < _TOO_LONG:
            return list(clause)
        start = int(drawn % 1 * (over + 1))
        return list(clause[start : start + want])

    def grounded(self, number: int) -> bool:
        """Whether the text holds this percentage."""
        return str(number) in self.percents


def _stem(word: str) -> str:
    """Drop the inflection that Japanese writes in hiragana; other words stay as they are."""
    return _HIRAGANA_TAIL.sub("", word) or word


def _weight(word: str) -> int:
    """Return the length of a word, counting characters of scripts without spaces double.

    Words all in hiragana are grammar more often than content.
    """
    if _HIRAGANA_TAIL.fullmatch(word):
        return 1
    return len(word) * (2 if _SPACELESS_CHARACTER.match(word) else 1)


def _commonest(signs: str, text: str, usual: Mapping[str, str]) -> str:
    """Return the sign that `text` uses most, or the usual one of its main script."""
    counts = [text.count(sign) for sign in signs]
    if any(counts):
        return signs[counts.index(max(counts))]
    mostly = [
        s for script, s in usual.items() if 2 * len(re.findall(f"[{script}]", text)) > len(text)
    ]
    return mostly[0] if mostly else signs[0]
