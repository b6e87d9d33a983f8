"""Which of several candidates to merge: the best, or one as good whose prompt is shorter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from self_improve.verdict import Verdict, Word


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A candidate with its verdict; `prompt_chars` is the length of its prompt in characters."""

    name: str
    verdict: Verdict
    prompt_chars: int


Compare = Callable[[Contender, Contender], Word]
"""Judges the second candidate as if the first were the side before."""


def preferred(contenders: Sequence[Contender], compare: Compare) -> Contender | None:
    """Return the candidate to merge, or None if nobody earned KEEP.

    It is the one with the best composite, unless a shorter prompt does not differ from it.
    """
    kept = [one for one in contenders if one.verdict.word is Word.keep]
    if not kept:
        return None
    best = max(kept, key=lambda one: (one.verdict.composite.effect or 0.0, -one.prompt_chars))
    shorter = sorted(
        (one for one in kept if one.prompt_chars < best.prompt_chars),
        key=lambda one: one.prompt_chars,
    )
    return next((one for one in shorter if compare(best, one) is not Word.reject), best)
