"""Merges several changes of one text."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from self_improve.search.pieces import split

Edit = tuple[int, int, list[str]]
"""The first piece, the end, and the pieces that replace this range."""


def merged(base: str, texts: Sequence[str]) -> tuple[str, list[int]]:
    """Return `base` with the changes of several variants of it, and the indices of those merged.

    A variant one of whose changes overlaps an earlier variant's is left out as a whole, as is one
    without changes.
    """
    pieces = [piece.text for piece in split(base)]
    merged_edits: list[Edit] = []
    indices: list[int] = []
    for index, text in enumerate(texts):
        edits = _edits(pieces, [piece.text for piece in split(text)])
        if edits and not any(_clash(one, other) for one in edits for other in merged_edits):
            merged_edits += edits
            indices.append(index)
    for start, end, new in sorted(merged_edits, key=lambda edit: edit[:2], reverse=True):
        pieces[start:end] = new
    return "".join(pieces), indices


def _edits(old: list[str], new: list[str]) -> list[Edit]:
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    return [(a, b, new[c:d]) for tag, a, b, c, d in matcher.get_opcodes() if tag != "equal"]


def _clash(one: Edit, other: Edit) -> bool:
    """Whether one edit overlaps the other, or both insert at the same point."""
    (a, b, _), (c, d, _) = one, other
    return (a < d and c < b) or a == b == c == d
