"""When somebody looks: cells in a random order that is fair to plans and models, and four looks."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence

from prompt_lab.record import CellKey
from self_improve.verdict.pairing import Pairing
from self_improve.verdict.terms import Look

SHARES = (0.25, 0.50, 0.75, 1.0)
"""The shares of all cells after which somebody looks: four looks find a large effect with half of
the cells (the reference measurements), and more looks leave less for each."""


def order(cells: Iterable[CellKey], *, seed: int) -> list[CellKey]:
    """Return the cells in a random order in which plans and models take turns.

    It hangs on the cells and the seed alone. At every point each plan, and each model, has had
    nearly as many cells as any other (as in a Latin square: R. A. Fisher, The Design of
    Experiments, 1935, chapter 5), so that no look sees some of them only.
    """
    left = sorted(set(cells))
    chance = random.Random(f"order {seed}")  # noqa: S311 - an order, not a secret
    chance.shuffle(left)
    had: Counter[tuple[str, str]] = Counter()
    found = []
    while left:
        place = min(range(len(left)), key=lambda n: _turn(left[n], had))
        cell = left.pop(place)
        had["plan", cell[0]] += 1
        had["model", cell[1]] += 1
        found.append(cell)
    return found


def _turn(cell: CellKey, had: Counter[tuple[str, str]]) -> int:
    """Return how often the cell's plan and model have had their turn; repeats come in order."""
    return had["plan", cell[0]] + had["model", cell[1]]


def groups(cells: Sequence[CellKey]) -> list[list[CellKey]]:
    """Return the cells in order, parted by the looks that follow each group."""
    ends = [math.ceil(share * len(cells)) for share in SHARES]
    starts = [0, *ends[:-1]]
    return [list(cells[a:b]) for a, b in zip(starts, ends, strict=True) if b > a]


def looks(pairing: Pairing, *, seed: int) -> list[Look]:
    """Return the looks of cells that have all been run, as they would have been taken."""
    seen: list[CellKey] = []
    found = []
    for group in groups(order((pair.key for pair in pairing.pairs), seed=seed)):
        seen += group
        found.append(Look(pairing=pairing.only(seen), share=len(seen) / max(len(pairing.pairs), 1)))
    return found
