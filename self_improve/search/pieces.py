"""A prompt in pieces: sentences, list items and examples of any script, joined again unchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass

_END = "\u002e\u0021\u003f\u3002\uff01\uff1f\u061f\u06d4\u0964\u0965\u1362\u104b\u17d4\uff0e\uff61"
_SENTENCE = re.compile(rf"[^{_END}]*(?:[{_END}]+[\"'\u2019\u201d\u00bb\u300d\u300f)\]]*|$)\s*")
_LINE = re.compile(r"[^\n]*\n+|[^\n]+$")
_QUOTED = re.compile(r"^\s*(?:>|```|~~~|\|)")
_NUMBER = re.compile(r"(?<![\w.])\d{1,3}(?!\w|\.\d)")
_WIDE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff]")
_SHORTEST = 12


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A part of the text; `example`: it is quoted, `item`: it begins with a list marker."""

    text: str
    example: bool = False
    item: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is longer than a marker and a word or two."""
        return len(self.text.strip()) + len(_WIDE.findall(self.text)) >= _SHORTEST


def split(text: str) -> list[Piece]:
    """Return the pieces of `text`; joined they are `text` again."""
    pieces: list[Piece] = []
    for line in _LINE.findall(text):
        if _QUOTED.match(line):
            pieces.append(Piece(text=line, example=True))
            continue
        item = re.match(r"\s*(?:[-*+\u2022]|\d+[.)])\s", line) is not None
        parts = [part for part in _SENTENCE.findall(line) if part]
        if item and len(parts) > 1 and len(parts[0].strip()) <= 3:
            parts[:2] = ["".join(parts[:2])]  # The marker of a numbered item ends with a full stop.
        pieces += [Piece(text=part, item=item and n == 0) for n, part in enumerate(parts)]
    return pieces


def joined(pieces: list[Piece]) -> str:
    """Return the text of the pieces, without the gaps left by removed ones."""
    return re.sub(r"\n{3,}", "\n\n", "".join(piece.text for piece in pieces))


def numbers(text: str) -> list[tuple[int, int, int]]:
    """Return start, end and value of each small whole number that stands alone in `text`."""
    return [(m.start(), m.end(), int(m[0])) for m in _NUMBER.finditer(text)]
