"""Measures how fast a comparison is decided: 35 pairs of cells, 10 and 100 times as many.

`python -m tools.bench_decide` makes random cells with 24 metrics each, and decides with 10,000
permutations: every metric, the composite, all gates, intervals, models and plans. 35 pairs may take
one second; the cost must be linear in cells.
"""

from __future__ import annotations

import time

import numpy as np

from prompt_lab.record import Evidence
from rubrics.rubric import MetricUse, Rubric, Source
from self_improve.measures.measured import MeasuredCell
from self_improve.verdict import decide
from self_improve.verdict.noise import assumed
from self_improve.verdict.pairing import Pair, Pairing
from self_improve.verdict.terms import Terms

MOST_SECONDS = 1.0
METRICS, PLANS, MODELS, FLIPS = 24, 5, 7, 10_000
TIMES = (1, 10, 100)


def rubric() -> Rubric:
    """Return a rubric with as many metrics as a large one."""
    uses = [
        MetricUse(metric="duplicate_names", fields=(f"field{n}",), weight=1 / METRICS, scale=0.05)
        for n in range(METRICS)
    ]
    return Rubric(
        step="find", version=1, why="to be timed", clean=Source(artifact="found.json"),
        metrics=tuple(uses),
    )  # fmt: skip


def cells(times: int, by: Rubric, seed: int) -> list[MeasuredCell]:
    """Return cells with random values; more of them are more repeats."""
    chance = np.random.default_rng(seed)
    return [
        MeasuredCell(
            plan=f"plan {plan}", model=f"model {model}", repeat=repeat,
            succeeded=bool(chance.random() > 0.05), items=15,
            values={use.id: float(value) for use, value in zip(
                by.metrics, chance.normal(0.3, 0.1, METRICS), strict=True
            )},
        )
        for plan in range(PLANS) for model in range(MODELS) for repeat in range(times)
    ]  # fmt: skip


def rows() -> tuple[list[list[str]], bool]:
    """Return the lines of the table, and whether the bounds are kept."""
    by = rubric()
    terms = Terms(rubric=by, noise=assumed(by), flips=FLIPS)
    seconds = {}
    for times in (1, *TIMES):
        sides = zip(cells(times, by, 1), cells(times, by, 2), strict=True)
        pairing = Pairing(pairs=tuple(Pair(before=old, after=new) for old, new in sides))
        began = time.process_time()
        decide(pairing, terms, evidence=Evidence.simulated)
        seconds[times] = time.process_time() - began  # The first one warms up.
    # Twice the share of a larger comparison is left for what does not grow.
    linear = seconds[100] <= 2 * 10 * max(seconds[10], MOST_SECONDS / 10)
    lines = [
        [
            f"a verdict, {FLIPS:,} permutations", f"{PLANS * MODELS * times} pairs",
            f"{cpu:.2f} s", f"{1000 * cpu / (PLANS * MODELS * times):.2f} ms", "–",
        ]
        for times, cpu in seconds.items()
    ]  # fmt: skip
    return lines, seconds[1] <= MOST_SECONDS and linear


def main() -> int:
    """Decide, print a table, and return 1 if a bound is broken."""
    lines, is_fast = rows()
    for one in lines:
        print("  ".join(one))
    answer = "kept" if is_fast else "BROKEN"
    print(f"bounds: {MOST_SECONDS:g} s for 35 pairs, linear in pairs: {answer}")
    return 0 if is_fast else 1


if __name__ == "__main__":
    raise SystemExit(main())
