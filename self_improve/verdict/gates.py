"""What rejects a candidate whatever else is better: lost cells, models or plans, broken wishes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rubrics.rubric import Constraint
from self_improve.verdict.pairing import Pair
from self_improve.verdict.statistics import exact, intervals
from self_improve.verdict.statistics.flips import Bools, Floats
from self_improve.verdict.terms import FEW, PermutedLook, Rows

Nets = NDArray[np.intp]

_NOISE = 0.01
"""So rare must a loss of cells be between runs of identical prompts."""
_SUSPECT = 0.10
"""A loss that is less probable by chance keeps a KEEP back, although it does not reject yet."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate: `failed` rejects, `blocks` keeps a KEEP back; `p` is None if nothing was tested."""

    name: str
    failed: bool
    told: str
    p: float | None = None
    blocks: bool = False


@dataclass(frozen=True, kw_only=True)
class Losses:
    """How often success, or most of the items, went and came."""

    pairs: int
    before: int
    after: int
    lost: int
    gained: int
    collapsed: int
    recovered: int
    p: float | None

    @property
    def text(self) -> str:
        """The counts in words."""
        return f"{self.before} of {self.pairs} cells succeeded before, {self.after} after"


def losses(seen: PermutedLook) -> Losses:
    """Return the counts of a look; cells that failed for outside reasons are left out."""
    pairs = _fair(seen)
    went = [_went(pair) for pair in pairs]
    shrunk = [_shrank(pair, seen) for pair in pairs]
    lost, gained = went.count(1), went.count(-1)
    return Losses(
        pairs=len(pairs),
        before=sum(pair.before.succeeded for pair in pairs),
        after=sum(pair.after.succeeded for pair in pairs),
        lost=lost,
        gained=gained,
        collapsed=shrunk.count(1),
        recovered=shrunk.count(-1),
        p=exact.mcnemar(lost, gained),
    )


def gates(seen: PermutedLook, rows: Rows) -> tuple[Gate, ...]:
    """Return how every gate of the rubric came out at this look."""
    rubric = seen.terms.rubric
    found = list(_lost_cells(seen, rows))
    found += _worst(seen, rows)
    found += [
        _constraint(seen, rows, constraint)
        for constraint in rubric.constraints
        if constraint.metric is not None
    ]
    return tuple(found)


def _lost_cells(seen: PermutedLook, rows: Rows) -> Sequence[Gate]:
    """Test whether success, or most items of cells that succeeded, were lost."""
    rubric, noise, pairs = seen.terms.rubric, seen.terms.noise, _fair(seen)
    went = np.array([_went(pair) for pair in pairs], dtype=np.float64)
    shrank = np.array([_shrank(pair, seen) for pair in pairs], dtype=np.float64)
    tests = [
        ("collapse", shrank, [noise.collapse_rate] * len(pairs),
         f"kept less than {rubric.gates.collapse:.0%} of their items"),
    ]  # fmt: skip
    if rubric.gates.success:
        rates = [noise.flip_rate(pair.model) for pair in pairs]
        tests.insert(0, ("success", went, rates, "failed that succeeded before"))
    models = sorted({pair.model for pair in pairs})
    columns = [np.array([[pair.model == model] for pair in pairs], float) for model in models]
    flips, found = seen.flips(pairs), []
    for name, values, rates, told in tests:
        lost, gained = int((values > 0).sum()), int((values < 0).sum())
        groups = np.hstack([np.ones((len(pairs), 1)), *columns])
        nets = np.rint(flips.sums(groups * values[:, None])).astype(np.intp)
        outcome = rows[f"gate {name}"].test(
            nets[0].astype(np.float64), limit=seen.limit(FEW),
            possible=_beyond_noise(nets, groups, np.array(rates)),
            known=exact.lost_by_chance(lost + gained)[nets[0] + lost + gained],
        )  # fmt: skip
        where = f" ({_where(pairs, values > 0)})" if lost else ""
        p = exact.mcnemar_lost(lost, gained)
        found.append(
            Gate(
                name=name, failed=outcome.fires, p=p, blocks=p is not None and p < _SUSPECT,
                told=f"{lost} cells {told}, {gained} the other way{where}",
            )
        )  # fmt: skip
    return found


def _beyond_noise(nets: Nets, groups: Floats, rates: Floats) -> Bools:
    """Return the flips in which more was lost than runs of identical prompts lose.

    Over all cells (the first group), or in one model, each of which has its share of the error.
    """
    chances = []
    for net, group in zip(nets, groups.T, strict=True):
        own = rates[group > 0]
        table = exact.at_least(exact.net_loss(own.tolist()))
        chances.append(table[net + len(own)])
    models = np.min(chances[1:], axis=0) * len(chances[1:]) if len(chances) > 1 else 1.0
    found: Bools = np.minimum(chances[0], models) <= _NOISE
    return found


def _worst(seen: PermutedLook, rows: Rows) -> list[Gate]:
    """Test whether any model or plan fell further than it may; the furthest is tested for all."""
    allowed = seen.terms.rubric.gates
    drops = {"model": allowed.model_drop, "plan": allowed.plan_drop}
    pairs, flips = seen.gains.pairs, seen.flips(seen.gains.pairs)
    falls, told = {}, {}
    for kind, drop in drops.items():
        names = sorted({getattr(pair, kind) for pair in pairs})
        if drop is None or not names:
            continue
        groups = np.array(
            [[getattr(pair, kind) == name for name in names] for pair in pairs], float
        )
        means = seen.gains.sums(flips, groups) / groups.sum(axis=0)[:, None]
        falls[kind] = -means.min(axis=0)
        worst = names[int(means[:, 0].argmin())]
        told[kind] = (
            f"{worst} is the worst {kind}, at {-falls[kind][0]:+.2f}; a fall of {drop:g} is allowed"
        )
    if not falls:
        return []
    margins = {k: fall / seen.terms.drift - (drops[k] or 0.0) for k, fall in falls.items()}
    furthest = np.max(list(margins.values()), axis=0)
    outcome = rows["gate parts"].test(
        furthest, limit=seen.limit(FEW), possible=furthest > 0, middle=True
    )
    chances = {kind: _chance(fall) for kind, fall in falls.items()}
    return [
        Gate(
            name=kind, failed=outcome.fires and margins[kind][0] == furthest[0], told=told[kind],
            p=chance, blocks=bool(margins[kind][0] > 0) and chance < _SUSPECT,
        )
        for kind, chance in chances.items()
    ]  # fmt: skip


def _constraint(seen: PermutedLook, rows: Rows, constraint: Constraint) -> Gate:
    """Test whether a wish that held before, or held better, is now broken.

    A wish that is not met keeps a KEEP back in any case.
    """
    metric = str(constraint.metric)
    name = f"constraint {metric}"
    pairs = [p for p in seen.pairs if metric in p.before.values and metric in p.after.values]
    if not pairs:
        return Gate(name=name, failed=False, told=f"{constraint.text}: nobody knows ({metric})")
    old = np.array([pair.before.values[metric] for pair in pairs])
    new = np.array([pair.after.values[metric] for pair in pairs])
    middle = float((old + new).sum()) / 2
    half = seen.flips(pairs).sums(((new - old) / 2)[:, None])[0]
    after, before = ((middle + sign * half) / len(pairs) for sign in (1, -1))
    excess = _beyond(after, constraint)
    outcome = rows[f"gate {name}"].test(
        excess - _beyond(before, constraint),
        limit=seen.limit(FEW), possible=excess > 0, middle=True,
    )  # fmt: skip
    reach = intervals.interval(new.tolist())
    surely = bool(excess[0] > 0) and (
        reach is None or bool(_beyond(np.array([reach.low, reach.high]), constraint).all())
    )
    bounds = " and ".join(
        f"{word} {bound:g}"
        for word, bound in (("at least", constraint.low), ("at most", constraint.high))
        if bound is not None
    )
    told = f"{constraint.text}: {metric} is {new.mean():.3g}, was {old.mean():.3g}, {bounds} wished"
    return Gate(name=name, failed=outcome.fires and surely, p=outcome.p, told=told, blocks=surely)


def _beyond(means: Floats, constraint: Constraint) -> Floats:
    """Return how far means lie outside of the bounds."""
    low = -np.inf if constraint.low is None else constraint.low
    high = np.inf if constraint.high is None else constraint.high
    found: Floats = np.maximum(np.maximum(means - high, low - means), 0.0)
    return found


def _chance(fall: Floats) -> float:
    return float((np.count_nonzero(fall > fall[0]) + np.count_nonzero(fall == fall[0]) / 2)
                 / len(fall))  # fmt: skip


def _fair(seen: PermutedLook) -> list[Pair]:
    return [pair for pair in seen.pairs if not pair.is_outside]


def _went(pair: Pair) -> int:
    """Return 1 if success was lost, -1 if it was gained."""
    return int(pair.before.succeeded) - int(pair.after.succeeded)


def _shrank(pair: Pair, seen: PermutedLook) -> int:
    """Return 1 if most items were lost between two successes, -1 the other way round."""
    old, new = pair.before.items, pair.after.items
    if not pair.succeeded or old is None or new is None:
        return 0
    share = seen.terms.rubric.gates.collapse
    return int(new < share * old) - int(old < share * new)


def _where(pairs: Sequence[Pair], chosen: Bools) -> str:
    counts: dict[str, int] = {}
    for pair, is_chosen in zip(pairs, chosen, strict=True):
        if is_chosen:
            counts[pair.model] = counts.get(pair.model, 0) + 1
    return ", ".join(f"{count} of {model}" for model, count in sorted(counts.items()))
