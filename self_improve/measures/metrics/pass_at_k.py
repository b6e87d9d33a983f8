"""Chance that at least one of k repeats of a plan succeeds, the mean over plans.

Unit: probability. Range: 0 to 1, higher is better. Without bias: 1 - C(n - c, k) / C(n, k) for c
successes among n repeats. Given for every k from 2 to the least number of repeats of a plan;
undefined without repeats.
Source: Chen et al. 2021, "Evaluating large language models trained on code" (arXiv 2107.03374).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from math import comb

from self_improve.measures.measured import MeasuredCell

UNIT, RANGE = "probability", (0.0, 1.0)
MOST = 20


def summarise(cells: Sequence[MeasuredCell]) -> Mapping[str, float]:
    """Return `pass@k` for every k."""
    repeats: defaultdict[tuple[str, str], list[bool]] = defaultdict(list)
    for cell in cells:
        repeats[cell.plan, cell.model].append(cell.succeeded)
    fewest = min(map(len, repeats.values()), default=0)
    return {
        f"pass@{k}": sum(_chance(done, k) for done in repeats.values()) / len(repeats)
        for k in range(2, min(fewest, MOST) + 1)
    }


def _chance(done: Sequence[bool], k: int) -> float:
    return 1 - comb(len(done) - sum(done), k) / comb(len(done), k)
