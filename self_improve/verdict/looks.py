"""The order of cells, random but fair to plans and models, and the looks at them."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterable, Sequence

from prompt_lab.record import CellKey

SHARES = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""The shares of all cells after which a look is taken. Fewer than a fifth show hardly anything that
may be decided."""
EARLIER_SHARES = (0.4, 0.6, 0.8, 1.0)
"""Those of runs that do not record theirs."""


def order(cells: Iterable[CellKey], *, seed: int) -> list[CellKey]:
    """Return the cells in a random order in which plans and models take turns.

    It depends on the cells and the seed alone. At every point each plan, and each model, has had
    nearly as many cells as any other (as in a Latin square: R. A. Fisher, The Design of
    Experiments, 1935, chapter 5), so that no look sees some of them only.
    """
    left = sorted(set(cells))
    chance = random.Random(f"order {seed}")  # noqa: S311 - an order, not a secret
    chance.shuffle(left)
    turns: Counter[tuple[str, str]] = Counter()
    ordered = []
    while left:
        index = min(range(len(left)), key=lambda n: _turns_taken(left[n], turns))
        cell = left.pop(index)
        turns["plan", cell[0]] += 1
        turns["model", cell[1]] += 1
        ordered.append(cell)
    return ordered


def _turns_taken(cell: CellKey, turns: Counter[tuple[str, str]]) -> int:
    """Return how many turns the cell's plan and model have had; repeats come in order."""
    return turns["plan", cell[0]] + turns["model", cell[1]]


def groups(cells: Sequence[CellKey], shares: Sequence[float] = SHARES) -> list[list[CellKey]]:
    """Return the cells in order, split at the looks: one is taken after each group."""
    # Rounded first, because .7 times 30 is a little more than 21.
    ends = [math.ceil(round(share * len(cells), 6)) for share in shares]
    starts = [0, *ends[:-1]]
    return [list(cells[a:b]) for a, b in zip(starts, ends, strict=True) if b > a]
