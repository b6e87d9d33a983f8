"""Checks quotes: a claim counts only if its words are where it says."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from analysis.materials import Materials
from prompt_lab.markup import BREAK

NEAR = 2
"""Agents count lines from 0 or skip the first: this many lines on both sides are searched."""
_SHORTEST = 3


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A quote, and the line on which it was found; None if it was not."""

    path: str
    line: int
    quote: str
    found: int | None

    @property
    def holds(self) -> bool:
        """Whether the quote was found where the agent said."""
        return self.found is not None


def check(materials: Materials, *, path: str, line: int, quote: str) -> Checked:
    """Search for `quote` in and around line `line` of the listed file `path`.

    White space, the forms of the same character and the breaks that pages insert make no
    difference; a quote of fewer than three characters proves nothing.
    """
    lines = materials.lines(path)
    words = _plain(quote)
    number = None
    if lines is not None and len(words) >= _SHORTEST:
        offsets = sorted(range(-NEAR, NEAR + 1), key=abs)
        numbers = [line + offset for offset in offsets if 1 <= line + offset <= len(lines)]
        number = next((n for n in numbers if words in _plain(lines[n - 1])), None)
    return Checked(path=path, line=line, quote=quote, found=number)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text.replace(BREAK, "")).split())
