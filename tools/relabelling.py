"""Other comparisons of the same cells: with sides exchanged, or with looks taken afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prompt_lab.record import CellKey
from self_improve.verdict.looks import groups, order
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Look


def exchanged(pairing: Pairing, swap: Sequence[bool]) -> Pairing:
    """Return the pairs with the sides of some exchanged."""
    pairs = zip(pairing.pairs, swap, strict=True)
    return replace(pairing, pairs=tuple(pair.swapped if s else pair for pair, s in pairs))


def mirrored(pairing: Pairing) -> Pairing:
    """Return the comparison in the other direction."""
    return exchanged(pairing, [True] * len(pairing.pairs))


def looks(pairing: Pairing, *, seed: int) -> list[Look]:
    """Return the looks at cells that have all been run, as early stopping would have taken them."""
    keys: list[CellKey] = []
    taken = []
    for group in groups(order((pair.key for pair in pairing.pairs), seed=seed)):
        keys += group
        taken.append(Look(pairing=pairing.only(keys), share=len(keys) / len(pairing.pairs)))
    return taken
