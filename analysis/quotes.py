"""Checking quotes: a claim counts only if its words stand where it says they do."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from analysis.materials import Materials

NEAR = 2
"""Agents count lines from 0 or leave out the first: so many lines around are looked at."""
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
        """Whether the quote stands where it is said to."""
        return self.found is not None


def check(materials: Materials, *, path: str, line: int, quote: str) -> Checked:
    """Look for `quote` in and around line `line` of the listed file `path`.

    White space and the forms of the same character make no difference; a quote of fewer than
    three characters proves nothing.
    """
    lines = materials.lines(path)
    wanted = _plain(quote)
    found = None
    if lines is not None and len(wanted) >= _SHORTEST:
        order = sorted(range(-NEAR, NEAR + 1), key=abs)
        places = [line + offset for offset in order if 1 <= line + offset <= len(lines)]
        found = next((n for n in places if wanted in _plain(lines[n - 1])), None)
    return Checked(path=path, line=line, quote=quote, found=found)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split())
