"""A candidate's declaration of what it will change: one measure, its direction, and where."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from model_gateway.suggestions import did_you_mean
from rubrics.rubric import Rubric
from self_improve.errors import UsageError
from self_improve.verdict.pairing import Pair

Direction = Literal["lower", "higher"]
SUCCESS, ITEMS = "success", "items"
# Ids of measures and names of models may contain colons themselves.
_WRITTEN = re.compile(
    r"(?P<metric>.+?):(?P<direction>lower|higher)(?P<primary>:primary)?"
    r"(?P<scope>(?::(?:model|plan)=.+)?)",
    re.DOTALL,
)
_PART = re.compile(r":(?=(?:model|plan)=)")


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A declared effect. `metric` is the id of a measure of the rubric, or success, or items.

    Without `models` or `plans` it applies to all of them. A `primary` one is what the candidate
    was made for: it alone decides whether the declaration came true.
    """

    metric: str
    direction: Direction
    models: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    primary: bool = False

    @property
    def text(self) -> str:
        """The expectation as it is written on a command line."""
        scope = [*(f"model={m}" for m in self.models), *(f"plan={p}" for p in self.plans)]
        rank = ("primary",) if self.primary else ()
        return ":".join((self.metric, self.direction, *rank, *scope))

    def covers(self, pair: Pair) -> bool:
        """Whether a pair belongs to the scope."""
        return (not self.models or pair.model in self.models) and (
            not self.plans or pair.plan in self.plans
        )

    def change(self, pair: Pair) -> float | None:
        """Return how far the measure moved as expected; None where it is undefined."""
        old, new = _values(pair, self.metric)
        if old is None or new is None:
            return None
        return new - old if self.direction == "higher" else old - new


def _values(pair: Pair, metric: str) -> tuple[float | None, float | None]:
    if metric == SUCCESS:
        return float(pair.before.succeeded), float(pair.after.succeeded)
    if metric == ITEMS:
        return pair.before.items, pair.after.items
    return pair.before.values.get(metric), pair.after.values.get(metric)


def parse(text: str, rubric: Rubric) -> Expectation:
    """Return the expectation in `METRIC:lower|higher[:primary][:model=NAME][:plan=NAME]`.

    Raises:
        UsageError: the text is not an expectation, or the rubric has no such measure.
    """
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise UsageError(
            f"The expectation {text!r} has no direction. Write METRIC:lower or METRIC:higher; add "
            ":model=NAME or :plan=NAME to limit it to those."
        )
    metric, measures = match["metric"], list(scales(rubric))
    if metric not in measures:
        raise UsageError(
            f"The rubric of {rubric.step} has no measure {metric!r}.{_hint(metric, measures)}"
        )
    scope: dict[str, list[str]] = {"model": [], "plan": []}
    for part in _PART.split(match["scope"])[1:]:
        kind, _, name = part.partition("=")
        scope[kind].append(name)
    return Expectation(
        metric=metric,
        direction="lower" if match["direction"] == "lower" else "higher",
        models=tuple(scope["model"]),
        plans=tuple(scope["plan"]),
        primary=match["primary"] is not None,
    )


def _hint(metric: str, measures: Sequence[str]) -> str:
    """Return the ids that may have been meant: those of this kind, of a like name, or all."""
    kind = metric.partition(":")[0]
    of_kind = [one for one in measures if one.partition(":")[0].partition("@")[0] == kind]
    if of_kind:
        return f" Did you mean {' or '.join(of_kind)}?"
    return did_you_mean(metric, measures) or f" There are: {', '.join(measures)}"


def check_scope(
    expectations: Sequence[Expectation], models: Collection[str], plans: Collection[str]
) -> None:
    """Refuse expectations of models or plans that are not compared: no cell can show them.

    Raises:
        UsageError: names these models and plans, and the existing ones.
    """
    problems = [
        f"{one.text}: no pair of cells is of {kind} {name!r}. "
        f"There are: {', '.join(sorted(compared))}"
        for one in expectations
        for kind, names, compared in (("model", one.models, models), ("plan", one.plans, plans))
        for name in names
        if name not in compared
    ]
    if problems:
        raise UsageError("\n".join(problems))


def scales(rubric: Rubric) -> Mapping[str, float]:
    """Return, for everything that may be expected to change, the smallest change worth having."""
    return {SUCCESS: 0.0, ITEMS: 1.0, **{use.id: use.scale for use in rubric.metrics}}


def scope_of(expectation: Expectation, pairs: Sequence[Pair]) -> tuple[list[int], list[float]]:
    """Return the numbers of the pairs that an expectation is about, and how far each moved."""
    moved = [
        (n, change)
        for n, pair in enumerate(pairs)
        if expectation.covers(pair) and (change := expectation.change(pair)) is not None
    ]
    return [n for n, _ in moved], [change for _, change in moved]
