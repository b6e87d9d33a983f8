"""Places boxes in given rows so that lines cross little and run straight (Sugiyama's method).

A line that passes a row gets a place of its own there, a bend, so that it runs between the boxes.
The order within rows comes from barycentres and swaps of neighbours, the horizontal places from
isotonic fits. The same rows and lines give the same places.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

Line = tuple[str, str]
Rows = list[list[str]]

STARTS, SWEEPS, FITS = 24, 12, 200
BETWEEN_BOXES, AT_A_BEND = 34.0, 20.0
LEVEL = 20
"""How many crossings a box is worth that stands between the ends of a line within one row."""
STRAIGHT = {0: 1.0, 1: 3.0, 2: 8.0}
"""How strongly two neighbours on a line attract each other, by how many of them are bends."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The horizontal middle of every box and bend, and the points of every line by its ends."""

    x: Mapping[str, float]
    chains: Mapping[Line, tuple[str, ...]]


def layout(
    rows: Sequence[Sequence[str]],
    lines: Sequence[Line],
    sizes: Mapping[str, float],
    *,
    width: float,
) -> Layout:
    """Place the boxes of `rows`, whose widths are in `sizes`; lines lead from top to bottom."""
    full, chains = _with_bends(rows, lines)
    links = [link for chain in chains.values() for link in pairwise(chain)]
    near: dict[str, list[str]] = {name: [] for row in full for name in row}
    for above, below in links:
        near[above].append(below)
        near[below].append(above)
    return Layout(x=_columns(_ordered(full, near, links), near, sizes, width), chains=chains)


def _with_bends(
    rows: Sequence[Sequence[str]], lines: Sequence[Line]
) -> tuple[Rows, dict[Line, tuple[str, ...]]]:
    """Return the rows with a bend wherever a line passes one, and the points of each line."""
    full = [list(row) for row in rows]
    row_of = {name: number for number, row in enumerate(rows) for name in row}
    chains = {}
    for start, end in lines:
        passed = range(row_of[start] + 1, row_of[end])
        bends = [f"{start}>{end}@{number}" for number in passed]
        for number, bend in zip(passed, bends, strict=True):
            full[number].append(bend)
        chains[start, end] = (start, *bends, end)
    return full, chains


def _ordered(full: Rows, near: Mapping[str, list[str]], links: Sequence[Line]) -> Rows:
    """Return the order with the lowest cost that sweeps and swaps from several starts reach."""
    best, least = full, cost(full, links)
    for start in range(STARTS):
        chance = random.Random(start)
        rows = [chance.sample(row, len(row)) for row in full]
        for sweep in range(SWEEPS):
            _sort(rows, near, down=sweep % 2 == 0)
        reached = _swap(rows, links)
        if reached < least:
            best, least = rows, reached
    return best


def _sort(rows: Rows, near: Mapping[str, list[str]], *, down: bool) -> None:
    """Sort each row by the mean place of its neighbours in the row before it."""
    numbers = range(1, len(rows)) if down else range(len(rows) - 2, -1, -1)
    for number in numbers:
        before = {name: n for n, name in enumerate(rows[number - 1 if down else number + 1])}
        here = {name: n for n, name in enumerate(rows[number])}

        def mean(name: str, before: dict[str, int] = before, here: dict[str, int] = here) -> float:
            places = [before[other] for other in near[name] if other in before]
            return sum(places) / len(places) if places else here[name]

        rows[number].sort(key=mean)


def _swap(rows: Rows, links: Sequence[Line]) -> int:
    """Swap neighbours while that lowers the cost, and return the cost."""
    least, reached = cost(rows, links), -1
    while least != reached:
        reached = least
        for row in rows:
            for n in range(len(row) - 1):
                row[n], row[n + 1] = row[n + 1], row[n]
                now = cost(rows, links)
                if now < least:
                    least = now
                else:
                    row[n], row[n + 1] = row[n + 1], row[n]
    return least


def cost(rows: Rows, links: Sequence[Line]) -> int:
    """Return the number of crossings, and a penalty for boxes in the way of level lines."""
    at = {name: (number, n) for number, row in enumerate(rows) for n, name in enumerate(row)}
    total = 0
    between: dict[int, list[tuple[int, int]]] = {}
    for start, end in links:
        (upper, left), (lower, right) = at[start], at[end]
        if upper == lower:
            total += LEVEL * (abs(left - right) - 1)
        else:
            between.setdefault(upper, []).append((left, right))
    for pairs in between.values():
        ends = np.array(pairs)
        tops, bottoms = ends[:, :1], ends[:, 1:]
        total += int(((tops < tops.T) & (bottoms > bottoms.T)).sum())
    return total


def _columns(
    rows: Rows, near: Mapping[str, list[str]], sizes: Mapping[str, float], width: float
) -> dict[str, float]:
    """Return the middles that bring each name near to its neighbours, in the order of its row."""
    x = {name: width * (n + 0.5) / len(row) for row in rows for n, name in enumerate(row)}
    for fit in range(FITS):
        for row in rows if fit % 2 else reversed(rows):
            steps = [_distance(one, other, sizes) for one, other in pairwise(row)]
            offsets = np.cumsum([0.0, *steps])
            aims, weights = zip(*(_aim(name, near, x, sizes, width) for name in row), strict=True)
            fitted = isotonic_regression(np.array(aims) - offsets, weights=np.array(weights)).x
            low = sizes.get(row[0], 0) / 2
            high = width - sizes.get(row[-1], 0) / 2 - offsets[-1]
            x.update(zip(row, np.clip(fitted, low, max(low, high)) + offsets, strict=True))
    return {name: float(round(value)) for name, value in x.items()}


def _distance(one: str, other: str, sizes: Mapping[str, float]) -> float:
    """Return how far apart the middles of two names must be."""
    gap = BETWEEN_BOXES if one in sizes and other in sizes else AT_A_BEND
    return (sizes.get(one, 0) + sizes.get(other, 0)) / 2 + gap


def _aim(
    name: str,
    near: Mapping[str, list[str]],
    x: Mapping[str, float],
    sizes: Mapping[str, float],
    width: float,
) -> tuple[float, float]:
    """Return where a name would be best, and how strongly: near its neighbours and the middle."""
    pulls = [
        (x[other], STRAIGHT[(name not in sizes) + (other not in sizes)]) for other in near[name]
    ]
    pulls.append((width / 2, 0.05))
    total = sum(weight for _, weight in pulls)
    return sum(value * weight for value, weight in pulls) / total, total
