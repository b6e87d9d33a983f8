"""A prompt text in pieces that an editor may remove, move or replace separately."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from model_gateway.providers.simulated import words

_QUOTE = (
    r"\"[^\"]{1,800}\"|\u201c[^\u201d]{1,800}\u201d|\u201e[^\u201c\u201d\"]{1,800}[\u201c\u201d\"]"
    r"|\u00ab[^\u00bb]{1,800}\u00bb|\u300c[^\u300d]{1,800}\u300d|\u300e[^\u300f]{1,800}\u300f"
    r"|(?<!\w)['\u2018](?=\S)(?:[^'\u2018\u2019\n]|(?<=\w)['\u2019](?=\w)){1,400}?(?<=\S)['\u2019](?!\w)"
)
_QUOTED = re.compile(rf"{_QUOTE}|(?m:^)[ \t]*>[ \t][^\n]+")
_PIECE = re.compile(
    rf"```[\s\S]*?(?:```|\Z)|{_QUOTE}|`[^`\n]*`|\[[^\[\]\n]*\]"
    r"|(?P<end>[.!?;](?=\s|$)[ \t]*\n*[ \t]*|[\u3002\uff01\uff1f\uff1b\u061f\u06d4\u0964]\s*|\n\s*)"
    r"|[\s\S]"
)
_LINED = re.compile(r"[ \t]*>[ \t]")
_NAME = re.compile(r"`([A-Za-z]\w*)`|\b([A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+)\b")
_NUMERAL = re.compile(r"(?<![\w.,])\d+(?:\s?[-\u2013\u2014]\s?\d+)?(?![\w%])")
_SHORT = 3


@dataclass(frozen=True, kw_only=True)
class Quote:
    """A quoted span: its position, its content, and the signs around it."""

    start: int
    end: int
    inside: str
    opening: str
    closing: str

    def like(self, inside: str) -> str:
        """Return another text in the same signs."""
        return f"{self.opening}{inside.strip()}{self.closing}"

    @property
    def glue(self) -> str:
        """The separator before a second quote: an empty line between quoted lines."""
        return " " if self.closing else "\n\n"

    @property
    def is_long(self) -> bool:
        """Whether it is longer than a phrase, so that it can serve as an example."""
        return words.size(self.inside) > _SHORT


def split(text: str) -> list[str]:
    """Return the sentences and lines of `text`; joined again they are `text`.

    Quotes, fences, brackets and back-ticked names stay whole.
    """
    pieces: list[str] = []
    start = 0
    for match in _PIECE.finditer(text):
        if match["end"] is not None:
            pieces.append(text[start : match.end()])
            start = match.end()
    pieces.append(text[start:])
    return [piece for piece in pieces if piece]


def join(pieces: Sequence[str]) -> str:
    """Return the pieces as a text, tidied where something was removed."""
    text = "".join(pieces)
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text)
    return re.sub(r"(?m)^[ \t]*[-*\u2022][ \t]*\n", "", text).strip()


def quotes(text: str) -> list[Quote]:
    """Return the quoted spans of `text` in order."""
    spans: list[Quote] = []
    for match in _QUOTED.finditer(text):
        lined = _LINED.match(match[0])
        opening, closing = (lined[0], "") if lined else (match[0][0], match[0][-1])
        inside = match[0].removeprefix(opening).removesuffix(closing)
        spans.append(
            Quote(
                start=match.start(), end=match.end(), inside=inside, opening=opening,
                closing=closing,
            )
        )  # fmt: skip
    return spans


def names(text: str) -> list[str]:
    """Return the identifiers of `text` in order, each once."""
    return list(dict.fromkeys(a or b for a, b in _NAME.findall(text)))


def numerals(text: str) -> list[str]:
    """Return the numerals and ranges of `text` outside quotes."""
    return [numeral.strip() for numeral in _NUMERAL.findall(_QUOTED.sub(" ", text))]


def is_plain(piece: str) -> bool:
    """Whether a piece holds only prose: no quote, name, numeral or bracket."""
    signs = _QUOTED.search(piece) or _NAME.search(piece) or re.search(r"[\d\[`]", piece)
    return signs is None and words.size(piece) > _SHORT
