"""What rejects a candidate whatever else improved: lost cells, models or plans, broken limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rubrics.rubric import Constraint
from self_improve.verdict.damage import damages
from self_improve.verdict.pairing import Pair
from self_improve.verdict.statistics import exact, intervals
from self_improve.verdict.statistics.flips import Floats
from self_improve.verdict.terms import (
    ERROR,
    FEW_PAIRS_ERROR,
    LIMITS_ERROR,
    PermutedLook,
    RepeatedTests,
)

Nets = NDArray[np.intp]

_NOISE = 0.002
"""A loss of cells must be rarer than this between runs of identical prompts."""
_IMPOSSIBLE = 5e-5
"""A loss that is rarer than this there needs no relabelling: three of three cells of a model that
never failed in 25 pairs, or of one that never collapsed."""
_LEAST_LOST = 3
_LEAST_RATE = 0.02
"""No model is trusted to fail, or to collapse, more seldom than this: 25 pairs do not show it."""
SUSPECT = 0.10
"""A loss that is less probable by chance keeps a KEEP back, although it does not reject yet."""
_OPEN = 0.2
"""Lost cells that are less probable by chance, and as seldom between runs of identical prompts, may
still reject when more cells have come."""
_HIDDEN = ERROR / 2
"""A candidate that loses too many cells may be kept early in this share of orders at most."""
_FAIR = 3
"""A model needs three cells before an early look may keep a candidate: fewer, all of them lost,
would not have rejected it."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One gate: `failed` rejects, `blocks` keeps a KEEP back; `p` is None if nothing was tested.

    `is_open` means that more cells may still fail it, so that a comparison is not given up; for
    models and plans the test of all falls shows that.
    """

    name: str
    failed: bool
    message: str
    p: float | None = None
    blocks: bool = False
    is_open: bool = False

    @property
    def state(self) -> str:
        """The outcome in a word or two."""
        return "failed" if self.failed else "holds a KEEP back" if self.blocks else "passed"


@dataclass(frozen=True, kw_only=True)
class Losses:
    """How many cells lost or gained success, or most of their items."""

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


def losses(look: PermutedLook) -> Losses:
    """Return the counts of a look; cells that failed for outside reasons are left out."""
    pairs = _counted(look)
    successes = [_success_lost(pair) for pair in pairs]
    items = [_items_lost(pair, look) for pair in pairs]
    lost, gained = successes.count(1), successes.count(-1)
    return Losses(
        pairs=len(pairs),
        before=sum(pair.before.succeeded for pair in pairs),
        after=sum(pair.after.succeeded for pair in pairs),
        lost=lost,
        gained=gained,
        collapsed=items.count(1),
        recovered=items.count(-1),
        p=exact.mcnemar(lost, gained),
    )


def gates(look: PermutedLook, tests: RepeatedTests) -> tuple[Gate, ...]:
    """Return the outcome of every gate of the rubric at this look but for those of `parts`."""
    limits = [one for one in look.terms.rubric.constraints if one.metric is not None]
    return (
        *_lost_cells(look, tests),
        *(_constraint(look, tests, one, LIMITS_ERROR / len(limits)) for one in limits),
    )


def had_a_fair_chance(look: PermutedLook) -> bool:
    """Whether the gates of lost cells could have spoken: every model has enough cells by now."""
    counts = Counter(pair.model for pair in _counted(look))
    return look.look.share >= 1 or min(counts.values(), default=0) >= _FAIR


def _lost_cells(look: PermutedLook, tests: RepeatedTests) -> Sequence[Gate]:
    """Test whether success, or most items of cells that succeeded, were lost."""
    rubric, noise, pairs = look.terms.rubric, look.terms.noise, _counted(look)
    share = f"kept less than {rubric.gates.collapse:.0%} of"
    kinds = [
        ("collapse", [_items_lost(pair, look) for pair in pairs],
         [noise.collapse_rate(pair.model) for pair in pairs], f"{share} their items"),
    ]  # fmt: skip
    if rubric.quantity.required:
        kinds.append(
            ("fields", [_texts_lost(pair, look) for pair in pairs],
             [noise.emptied_rate(pair.model) for pair in pairs],
             f"{share} the texts of a required field in an item"),
        )  # fmt: skip
    if rubric.gates.success:
        rates = [noise.flip_rate(pair.model) for pair in pairs]
        signs = [_success_lost(pair) for pair in pairs]
        kinds.insert(0, ("success", signs, rates, "failed that succeeded before"))
    models = sorted({pair.model for pair in pairs})
    columns = [np.array([[pair.model == model] for pair in pairs], float) for model in models]
    groups = np.hstack([np.ones((len(pairs), 1)), *columns])
    flips, outcomes = look.flips(pairs), []
    for name, signs, rates, what in kinds:
        lost, gained = signs.count(1), signs.count(-1)
        values = np.array(signs, dtype=np.float64)
        nets = np.rint(flips.sums(groups * values[:, None])).astype(np.intp)
        chances = _chances(nets, groups, np.array(rates))
        outcome = tests[f"gate {name}"].test(
            nets[0].astype(np.float64),
            limit=look.limit(FEW_PAIRS_ERROR - tests.spent_before(f"gate {name}")),
            possible=chances <= _NOISE,
            exact_p=exact.mid_p_by_net_loss(lost + gained)[nets[0] + lost + gained],
        )  # fmt: skip
        counts = Counter(pair.model for pair, sign in zip(pairs, signs, strict=True) if sign == 1)
        by_model = ", ".join(f"{count} of {model}" for model, count in sorted(counts.items()))
        message = f"{lost} cells {what}, {gained} the other way"
        p = exact.mcnemar_lost(lost, gained)
        suspect = p is not None and p < SUSPECT
        beyond = bool(chances[0] <= _IMPOSSIBLE)
        outcomes.append(
            Gate(
                name=name, p=p,
                failed=outcome.fires or (beyond and lost - gained >= _LEAST_LOST),
                blocks=suspect or _may_have_hidden(look, len(pairs), lost, gained),
                is_open=p is not None and max(p, float(chances[0])) < _OPEN,
                message=f"{message} ({by_model})" if lost else message,
            )
        )  # fmt: skip
    return outcomes


def _may_have_hidden(look: PermutedLook, cells: int, lost: int, gained: int) -> bool:
    """Whether an early look may have seen so few losses of a candidate that loses too many.

    The losses of the candidate that is just rejected in the end are spread over all cells at
    random, so those seen are a draw from them (the hypergeometric distribution).
    """
    if look.look.share >= 1:
        return False
    planned = round(cells / look.look.share)
    too_many = exact.least_lost(gained, error=FEW_PAIRS_ERROR)
    left = planned - cells
    if too_many > lost + left:
        return False
    return exact.share_of_draws(lost, of=too_many, seen=cells, planned=planned) > _HIDDEN


def _chances(nets: Nets, groups: Floats, rates: Floats) -> Floats:
    """Return, for every flip, how often runs of identical prompts lose as many cells.

    Over all cells (the first group), or in one model, each of which has its share of the error.
    """
    chances = []
    for net, group in zip(nets, groups.T, strict=True):
        members = np.maximum(rates[group > 0], _LEAST_RATE)
        tail = exact.upper_tail(exact.net_loss_distribution(members.tolist()))
        chances.append(tail[net + len(members)])
    models = np.min(chances[1:], axis=0) * len(chances[1:]) if len(chances) > 1 else 1.0
    return np.asarray(2 * np.minimum(chances[0], models), dtype=np.float64)


def parts(look: PermutedLook, *, fell: bool) -> tuple[Gate, ...]:
    """Return the gates of models and plans: whether one dropped more than the rubric allows.

    Args:
        look: the look at the pairs.
        fell: what fell, as the sum of all falls, is beyond chance.
    """
    shifts, allowed = look.shifts, look.terms.rubric.gates
    damaged = damages(look.gains, look.terms)
    gates = []
    for kind, limit in (("model", allowed.model_drop), ("plan", allowed.plan_drop)):
        if limit is None or shifts is None:
            continue
        members = shifts.models if kind == "model" else shifts.plans
        drop = members.drops
        texts = [one.text for one in damaged] if kind == "model" else []
        worst = (
            f"{members.worst} is the worst {kind}, at {-drop[0]:+.2f}; limit: a drop of {limit:g}"
        )
        chance = _mid_p(drop)
        has_dropped = bool(drop[0] > limit)
        suspect = has_dropped and chance < SUSPECT
        gates.append(
            Gate(
                name=kind, failed=bool(texts) or (fell and has_dropped), p=chance,
                blocks=suspect, message="; ".join(texts) or worst,
            )
        )  # fmt: skip
    return tuple(gates)


def _constraint(
    look: PermutedLook, tests: RepeatedTests, constraint: Constraint, error: float
) -> Gate:
    """Test whether a limit that held before, or was exceeded less, is now exceeded.

    A limit that is certainly exceeded keeps a KEEP back in any case.
    """
    metric = str(constraint.metric)
    name = f"constraint {metric}"
    pairs = [p for p in look.pairs if metric in p.before.values and metric in p.after.values]
    if not pairs:
        return Gate(name=name, failed=False, message=f"{constraint.text}: {metric} is not measured")
    old = np.array([pair.before.values[metric] for pair in pairs])
    new = np.array([pair.after.values[metric] for pair in pairs])
    middle = float((old + new).sum()) / 2
    half = look.flips(pairs).sums(((new - old) / 2)[:, None])[0]
    after, before = ((middle + sign * half) / len(pairs) for sign in (1, -1))
    excess = _excess(after, constraint)
    outcome = tests[f"gate {name}"].test(
        excess - _excess(before, constraint),
        limit=look.limit(error), possible=excess > 0, middle=True,
    )  # fmt: skip
    reach = intervals.interval(new.tolist())
    certain = bool(excess[0] > 0) and (
        reach is None or bool(_excess(np.array([reach.low, reach.high]), constraint).all())
    )
    limits = " and ".join(
        f"{word} {bound:g}"
        for word, bound in (("at least", constraint.low), ("at most", constraint.high))
        if bound is not None
    )
    return Gate(
        name=name, failed=outcome.fires and certain, p=outcome.p, blocks=certain,
        is_open=outcome.p < SUSPECT,
        message=f"{constraint.text}: {metric} is {new.mean():.3g}, was {old.mean():.3g}; "
        f"limit: {limits}",
    )  # fmt: skip


def _excess(means: Floats, constraint: Constraint) -> Floats:
    """Return how far means are outside the bounds."""
    low = -np.inf if constraint.low is None else constraint.low
    high = np.inf if constraint.high is None else constraint.high
    excess: Floats = np.maximum(np.maximum(means - high, low - means), 0.0)
    return excess


def _mid_p(drop: Floats) -> float:
    above, equal = np.count_nonzero(drop > drop[0]), np.count_nonzero(drop == drop[0])
    return float((above + equal / 2) / len(drop))


def _counted(look: PermutedLook) -> list[Pair]:
    return [pair for pair in look.pairs if not pair.is_outside]


def _success_lost(pair: Pair) -> int:
    """Return 1 if success was lost, -1 if it was gained, 0 otherwise."""
    return int(pair.before.succeeded) - int(pair.after.succeeded)


def _items_lost(pair: Pair, look: PermutedLook) -> int:
    """Return 1 if most items were lost between two successes, -1 the other way round, or 0."""
    share, before, after = look.terms.rubric.gates.collapse, pair.before, pair.after
    return int(after.kept_less(share, before)) - int(before.kept_less(share, after))


def _texts_lost(pair: Pair, look: PermutedLook) -> int:
    """Return the same for the texts of a required field in an item."""
    rubric, before, after = look.terms.rubric, pair.before, pair.after
    share, fields = rubric.gates.collapse, rubric.quantity.required
    lost, gained = (a.holds_less(share, b, fields) for a, b in ((after, before), (before, after)))
    return int(lost) - int(gained)
