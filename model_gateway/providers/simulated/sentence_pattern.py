"""The form of an example sentence, which a model copies with other words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from model_gateway.providers.simulated import words
from model_gateway.providers.simulated.draw import Stream
from model_gateway.providers.simulated.words import Lexicon

_OPENER = 3
_ENDING = 2
_OPEN = " \ua66e"  # a letter of no living language, as a stand-in for a word of a slot
_SLOT_WORDS = 7
_SLOT = re.compile(r"\[[^\[\]\n]{2,80}\]")
_SENTENCE = re.compile(
    r"[^.!?\u3002\uff01\uff1f\u061f\u06d4\u0964\n]+(?:[.!?\u3002\uff01\uff1f\u061f\u06d4\u0964]+|\n|$)"
)
_INNER = re.compile(r"\s*[,:;\u3001\uff0c\uff1a\uff1b\u060c\u061b\u2013\u2014\u2192]\s*")
_PUNCTUATION = re.compile(
    r"[.!?,:;\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\u060c\u061b\u061f\u2192]"
)
_LENGTH_CLASS = math.log(1.6)
_LEAST_DIFFERENCE = 0.4
_PART_DIFFERENCE = 0.3


@dataclass(frozen=True, kw_only=True)
class _Sentence:
    """A literal opener and ending, and between them parts of given lengths in words."""

    opener: str
    parts: tuple[tuple[int, str], ...]
    ending: str
    stop: str


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """The form of one example, which is what a copy of it has in common with it."""

    sentences: tuple[_Sentence, ...]
    size: int
    opener: str
    skeleton: str

    @classmethod
    def of(cls, example: str) -> Pattern:
        """Read the form of `example`; spans in square brackets are open slots."""
        filled = _SLOT.sub(_OPEN * _SLOT_WORDS, example.strip())
        sentences = tuple(
            _sentence(text)
            for text in (m[0].strip() for m in _SENTENCE.finditer(filled))
            if words.size(text)
        )
        return cls(
            sentences=sentences,
            size=max(1, words.size(filled)),
            opener=words.join(words.chunks(example)[:_OPENER] or [example[:1]]).casefold(),
            skeleton="".join(_PUNCTUATION.findall(filled)),
        )

    @property
    def length_class(self) -> int:
        """Which of the classes of length the example is in; each is 1.6 times the one before."""
        return round(math.log(self.size) / _LENGTH_CLASS)

    def filled(self, lexicon: Lexicon, stream: Stream, want: int) -> str:
        """Return a text in this form with words of `lexicon`, about `want` words long."""
        scale = want / self.size
        return words.join([_filled(one, lexicon, stream, scale) for one in self.sentences])


def _sentence(text: str) -> _Sentence:
    stop = text[-1] if _PUNCTUATION.match(text[-1]) else ""
    body = text.removesuffix(stop)
    chunks = words.chunks(body)
    opening = _before_slot(chunks, min(_OPENER, max(1, len(chunks) // 3)))
    closing = _before_slot(chunks[::-1], min(_ENDING, len(chunks) // 5))
    pieces = _INNER.split(body)
    signs = [sign.strip() for sign in _INNER.findall(body)]
    sizes = [words.size(piece) for piece in pieces]
    sizes[0] -= opening
    sizes[-1] -= closing
    parts = tuple((max(0, n), sign) for n, sign in zip(sizes, [*signs, ""], strict=True))
    return _Sentence(
        opener=words.join(chunks[:opening]), parts=parts, stop=stop,
        ending=words.join(chunks[-closing:]) if closing else "",
    )  # fmt: skip


def _before_slot(chunks: list[str], most: int) -> int:
    """Return how many of the first words are literal."""
    slots = [at for at, word in enumerate(chunks) if _OPEN.strip() in word]
    return min([most, *slots])


def _filled(one: _Sentence, lexicon: Lexicon, stream: Stream, scale: float) -> str:
    out = [one.opener] if one.opener else []
    for count, sign in one.parts:
        left = max(1, round(count * scale)) if count else 0
        while left > 0:
            fragment = lexicon.fragment(stream, left)[:left]
            out.extend(fragment)
            left -= len(fragment)
        if out:
            out[-1] += sign
    if one.ending:
        out.append(one.ending)
    return words.join(out) + one.stop


def structures(patterns: Sequence[Pattern]) -> float:
    """Return the number of structurally different examples among these, from 1 upwards.

    An example with an earlier opener adds nothing. Any other adds 0.4, and 0.3 each for a
    length class and for a skeleton of punctuation that is new as well.
    """
    seen: list[Pattern] = []
    amount = 0.0
    for one in patterns:
        if any(one.opener == other.opener for other in seen):
            continue
        if seen:
            amount += _LEAST_DIFFERENCE
            amount += _PART_DIFFERENCE * all(one.length_class != s.length_class for s in seen)
            amount += _PART_DIFFERENCE * all(one.skeleton != s.skeleton for s in seen)
        else:
            amount = 1.0
        seen.append(one)
    return amount
