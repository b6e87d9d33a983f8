"""Ranks the generators by their searches: counts, medians and means with intervals.

Medians count a search that did not reach the share as infinite, which equals the Kaplan-Meier curve
(Kaplan and Meier 1958) if all searches have the same budget. Intervals are percentile bootstraps
over landscapes (Efron 1979), 95 %, with a fixed seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from self_improve.benchmark.experiments.searches import Result

SHARES = (0.5, 0.8, 0.95)
LEAST_GAIN = 0.02
"""Landscapes on which less can be gained are left out: they cannot rank generators."""
ORACLE = "oracle"
_RESAMPLES = 2000
_SEED = 20_26
_GRID = 60


@dataclass(frozen=True, kw_only=True)
class RankEstimate:
    """A value over landscapes with its interval; infinite if it was not reached.

    `reached` of `of` searches have a finite value.
    """

    value: float
    low: float
    high: float
    of: int
    reached: int


@dataclass(frozen=True, kw_only=True)
class Rank:
    """One generator over all landscapes. Shares are of what can be gained on each.

    `cells_to` and `asked_to` (proposer calls) are by share. `curve` are the median shares on the
    grid of step calls. `regression` is the worst model's change on the verify plans if it is a
    loss, else 0. The names are keys of `--json`.
    """

    generator: str
    cells_to: Mapping[float, RankEstimate]
    asked_to: Mapping[float, RankEstimate]
    area: RankEstimate
    final: RankEstimate
    verify_gain: RankEstimate
    regression: RankEstimate
    gap: RankEstimate
    overshoot: int
    asked: float
    cells: float
    refused: float
    own_milliseconds: float
    curve: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """All generators, the best first, with the landscapes of the searches."""

    rows: tuple[Rank, ...]
    grid: tuple[int, ...]
    budget: int
    landscapes: tuple[int, ...]
    left_out: tuple[int, ...]
    reachable: Mapping[int, float]
    base: float
    oracle_was_beaten: int


def ranking(results: Sequence[Result]) -> Ranking:
    """Return the ranking of all generators except the oracle.

    What can be gained on a landscape is the most that the oracle or any search gained there.
    """
    searches = [one for one in results if one.generator != ORACLE]
    best: dict[int, float] = {}
    oracle = {one.landscape: one.train_gain for one in results if one.generator == ORACLE}
    for one in results:
        best[one.landscape] = max(best.get(one.landscape, 0.0), one.train_gain)
    used = [number for number in sorted(best) if best[number] >= LEAST_GAIN]
    budget = max(one.budget for one in searches)
    grid = tuple(sorted({round(budget * n / _GRID) for n in range(1, _GRID + 1)}))
    rows = []
    for name in sorted({one.generator for one in searches}):
        of_one = {one.landscape: one for one in searches if one.generator == name}
        rows.append(_rank(name, [of_one[n] for n in used if n in of_one], best, grid))
    rows.sort(key=lambda row: (row.cells_to[0.8].value, -row.area.value, row.generator))
    bases = {one.landscape: one.base for one in results}
    return Ranking(
        rows=tuple(rows), grid=grid, budget=budget, landscapes=tuple(used),
        left_out=tuple(sorted(set(best) - set(used))), reachable={n: best[n] for n in used},
        base=float(np.mean([bases[n] for n in used])) if used else 0.0,
        oracle_was_beaten=sum(oracle.get(n, 0.0) < best[n] - 1e-9 for n in used),
    )  # fmt: skip


def _rank(
    name: str, searches: Sequence[Result], best: Mapping[int, float], grid: Sequence[int]
) -> Rank:
    shares = np.array([[_share(one, cells, best) for cells in grid] for one in searches])
    verify = [one.verify_gain or 0.0 for one in searches]
    milliseconds = [
        1000 * one.own_seconds / max(1, one.candidates + one.refused) for one in searches
    ]
    return Rank(
        generator=name,
        cells_to={s: median([_calls_to(one, s, best)[0] for one in searches]) for s in SHARES},
        asked_to={s: median([_calls_to(one, s, best)[1] for one in searches]) for s in SHARES},
        area=mean([float(row.mean()) for row in shares]),
        final=mean([_share(one, one.budget, best) for one in searches]),
        verify_gain=mean(verify),
        regression=mean([min(0.0, *one.by_model.values()) for one in searches if one.by_model]),
        gap=mean([one.train_gain - v for one, v in zip(searches, verify, strict=True)]),
        overshoot=sum(one.overshoot for one in searches),
        asked=float(np.mean([one.asked for one in searches])),
        cells=float(np.mean([one.cells for one in searches])),
        refused=float(np.mean([one.refused for one in searches])),
        own_milliseconds=float(np.median(milliseconds)),
        curve=tuple(np.median(shares, axis=0).tolist()),
    )


def _share(one: Result, cells: int, best: Mapping[int, float]) -> float:
    """Return the share of what can be gained that a search had reached after `cells` step calls."""
    scores = [point.score for point in one.curve if point.cells <= cells]
    return (max(scores) - one.base) / best[one.landscape] if scores else 0.0


def _calls_to(one: Result, share: float, best: Mapping[int, float]) -> tuple[float, float]:
    """Return the step calls and proposer calls until `share` of the gain; infinite if never."""
    goal = one.base + share * best[one.landscape] - 1e-9
    for point in one.curve:
        if point.score >= goal:
            return float(point.cells), float(point.asked)
    return math.inf, math.inf


def median(values: Sequence[float]) -> RankEstimate:
    """Return the median with its interval; infinite values were not reached."""
    return _estimate(values, lambda rows: np.quantile(rows, 0.5, axis=1, method="higher"))


def mean(values: Sequence[float]) -> RankEstimate:
    """Return the mean with its interval."""
    return _estimate(values, lambda rows: rows.mean(axis=1))


def _estimate(values: Sequence[float], over: Callable[[np.ndarray], np.ndarray]) -> RankEstimate:
    data = np.array(values, dtype=float)
    if not len(data):
        return RankEstimate(value=math.nan, low=math.nan, high=math.nan, of=0, reached=0)
    indices = np.random.default_rng(_SEED).integers(0, len(data), (_RESAMPLES, len(data)))
    drawn = np.sort(over(data[indices]))
    low, high = drawn[int(0.025 * _RESAMPLES)], drawn[int(0.975 * _RESAMPLES) - 1]
    return RankEstimate(
        value=float(over(data[None, :])[0]), low=float(low), high=float(high), of=len(data),
        reached=int(np.isfinite(data).sum()),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Duel:
    """The numbers of landscapes on which one generator was earlier or later than another.

    If only one of them reached the share, that one was earlier; `neither` counts the others.
    """

    earlier: int
    later: int
    equal: int
    neither: int


def duel(
    results: Sequence[Result], first: str, second: str, share: float, best: Mapping[int, float]
) -> Duel:
    """Compare two generators landscape by landscape; censored pairs are counted separately."""
    searches = {(one.generator, one.landscape): one for one in results}
    counts = {"earlier": 0, "later": 0, "equal": 0, "neither": 0}
    for number in best:
        pair = [searches[n, number] for n in (first, second) if (n, number) in searches]
        if len(pair) < 2:
            continue
        a, b = (_calls_to(one, share, best)[0] for one in pair)
        alike = "neither" if math.isinf(a) else "equal"
        counts["earlier" if a < b else "later" if a > b else alike] += 1
    return Duel(**counts)


def difference(
    results: Sequence[Result], first: str, second: str, share: float, best: Mapping[int, float]
) -> RankEstimate:
    """Return by how many step calls `first` is later than `second`, paired by landscape.

    A search that did not reach the share counts as its budget plus one.
    """
    searches = {(one.generator, one.landscape): one for one in results}
    later = []
    for number in best:
        pair = (searches.get((first, number)), searches.get((second, number)))
        if pair[0] is None or pair[1] is None:
            continue
        a, b = (min(_calls_to(one, share, best)[0], one.budget + 1.0) for one in pair if one)
        later.append(a - b)
    return median(later)
