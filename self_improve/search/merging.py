"""Several changes of one text put together: what was tried apart need not be proposed again."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from self_improve.search.pieces import split

Edit = tuple[int, int, list[str]]
"""From which piece to which one, and the pieces that stand in their place."""


def merged(base: str, texts: Sequence[str]) -> tuple[str, list[int]]:
    """Return `base` with the changes of several texts made of it, and which of them it holds.

    A text one of whose changes touches the same pieces as an earlier text's is left out as a
    whole, as is one that changes nothing. The places count from 0.
    """
    pieces = [piece.text for piece in split(base)]
    taken: list[Edit] = []
    held: list[int] = []
    for place, text in enumerate(texts):
        own = _edits(pieces, [piece.text for piece in split(text)])
        if own and not any(_clash(one, other) for one in own for other in taken):
            taken += own
            held.append(place)
    for start, end, new in sorted(taken, key=lambda edit: edit[:2], reverse=True):
        pieces[start:end] = new
    return "".join(pieces), held


def _edits(old: list[str], new: list[str]) -> list[Edit]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [(a, b, new[c:d]) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def _clash(one: Edit, other: Edit) -> bool:
    """Whether one edit reaches into the other, or both put something in at the same place."""
    (a, b, _), (c, d, _) = one, other
    return (a < d and c < b) or a == b == c == d
