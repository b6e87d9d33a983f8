"""What a candidate says in advance that it will move: one measure, where, and which way."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rubrics.rubric import Rubric
from self_improve.errors import UsageError
from self_improve.verdict.pairing import Pair

Direction = Literal["lower", "higher"]
SUCCESS, ITEMS = "success", "items"
# Ids of measures and names of models may hold colons themselves.
_WRITTEN = re.compile(
    r"(?P<metric>.+?):(?P<direction>lower|higher)(?P<scope>(?::(?:model|plan)=.+)?)", re.DOTALL
)
_PART = re.compile(r":(?=(?:model|plan)=)")


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """A declared effect. `metric` is the id of a measure of the rubric, or success, or items.

    Without `models` or `plans` it is meant for all of them.
    """

    metric: str
    direction: Direction
    models: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The expectation as it is written on a command line."""
        scope = [*(f"model={m}" for m in self.models), *(f"plan={p}" for p in self.plans)]
        return ":".join((self.metric, self.direction, *scope))

    def covers(self, pair: Pair) -> bool:
        """Whether a pair belongs to the scope."""
        return (not self.models or pair.model in self.models) and (
            not self.plans or pair.plan in self.plans
        )

    def change(self, pair: Pair) -> float | None:
        """Return how far the measure moved the expected way; None where it is undefined."""
        old, new = _value(pair, self.metric)
        if old is None or new is None:
            return None
        return new - old if self.direction == "higher" else old - new


def _value(pair: Pair, metric: str) -> tuple[float | None, float | None]:
    if metric == SUCCESS:
        return float(pair.before.succeeded), float(pair.after.succeeded)
    if metric == ITEMS:
        return pair.before.items, pair.after.items
    return pair.before.values.get(metric), pair.after.values.get(metric)


def parse(text: str, rubric: Rubric) -> Expectation:
    """Return the expectation in `METRIC:lower|higher[:model=NAME][:plan=NAME]`.

    Raises:
        UsageError: the text is no expectation, or the rubric has no such measure.
    """
    found = _WRITTEN.fullmatch(text)
    if found is None:
        raise UsageError(
            f"The expectation {text!r} says no direction: write METRIC:lower or METRIC:higher, "
            "then :model=NAME or :plan=NAME if it is meant for those only."
        )
    scope: dict[str, list[str]] = {"model": [], "plan": []}
    for part in _PART.split(found["scope"])[1:]:
        kind, _, name = part.partition("=")
        scope[kind].append(name)
    return _checked(
        Expectation(
            metric=found["metric"],
            direction="lower" if found["direction"] == "lower" else "higher",
            models=tuple(scope["model"]),
            plans=tuple(scope["plan"]),
        ),
        rubric,
    )


def _checked(found: Expectation, rubric: Rubric) -> Expectation:
    known = scales(rubric)
    if found.metric not in known:
        near = difflib.get_close_matches(found.metric, list(known), n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"The rubric of {rubric.step} has no measure {found.metric!r}.{hint}")
    return found


def check_scope(
    expectations: Sequence[Expectation], models: Collection[str], plans: Collection[str]
) -> None:
    """Refuse what is expected of a model or a plan that is not compared: no cell can show it.

    Raises:
        UsageError: names such models and plans, and those that there are.
    """
    problems = [
        f"{one.text}: no pair of cells is of {kind} {name!r}. There are: {', '.join(sorted(known))}"
        for one in expectations
        for kind, named, known in (("model", one.models, models), ("plan", one.plans, plans))
        for name in named
        if name not in known
    ]
    if problems:
        raise UsageError("\n".join(problems))


def scales(rubric: Rubric) -> Mapping[str, float]:
    """Return the smallest change worth having of everything that may be expected to move."""
    return {SUCCESS: 0.0, ITEMS: 1.0, **{use.id: use.scale for use in rubric.metrics}}


def scope_of(expectation: Expectation, pairs: Sequence[Pair]) -> tuple[list[int], list[float]]:
    """Return the numbers of the pairs that an expectation is about, and how far each moved."""
    found = [
        (n, change)
        for n, pair in enumerate(pairs)
        if expectation.covers(pair) and (change := expectation.change(pair)) is not None
    ]
    return [n for n, _ in found], [change for _, change in found]
