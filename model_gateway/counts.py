"""Counts in messages: nouns in the right number, and no zeros in lines of several counts."""

from __future__ import annotations


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 cell` or `2 cells`; `plural` is needed where it does not end with an s alone."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"


def tally(*counts: tuple[int, str]) -> str:
    """Return the counts that are not zero, such as `5 ok, 1 failed`; empty if all are."""
    return ", ".join(f"{n} {what}" for n, what in counts if n)
