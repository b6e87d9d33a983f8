"""A comparison as CSV: one row for each measure, and for the composite of each model and plan."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from self_improve.comparison.comparison import Comparison
from self_improve.verdict import Verdict
from self_improve.verdict.composite import Part
from self_improve.verdict.effects import Effect
from self_improve.verdict.statistics.intervals import Interval

HEAD = (
    "verdict", "scope", "name", "measure", "direction", "weight", "pairs", "before", "after",
    "change", "low", "high", "plan_low", "plan_high", "gain", "p", "q", "drift",
)  # fmt: skip
"""The columns; more are only ever added behind them. Unknown values are empty."""

Cell = str | float | int | None


def table(comparison: Comparison) -> str:
    """Return the comparison as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, HEAD, lineterminator="\n", restval="")
    writer.writeheader()
    for row in _rows(comparison.verdict):
        values = {key: value for key, value in row.items() if value is not None}
        writer.writerow({"verdict": comparison.verdict.summary, **values})
    return out.getvalue()


def _rows(verdict: Verdict) -> Iterator[dict[str, Cell]]:
    composite = verdict.composite
    yield {
        "scope": "all", "measure": "composite", "direction": "higher", "pairs": composite.pairs,
        "change": composite.effect, "gain": composite.effect, "p": composite.p,
        "drift": composite.drift, **_ends(composite.interval),
        **_ends(composite.plan_interval, "plan_"),
    }  # fmt: skip
    for scope, parts in (("model", composite.models), ("plan", composite.plans)):
        for part in parts:
            yield _part(scope, part)
    losses = verdict.losses
    yield {
        "scope": "all", "measure": "success", "direction": "higher", "pairs": losses.pairs,
        "before": losses.before / losses.pairs if losses.pairs else None,
        "after": losses.after / losses.pairs if losses.pairs else None, "p": losses.p,
    }  # fmt: skip
    yield from map(_effect, verdict.effects)


def _part(scope: str, part: Part) -> dict[str, Cell]:
    return {
        "scope": scope, "name": part.name, "measure": "composite", "direction": "higher",
        "pairs": part.pairs, "change": part.effect, "gain": part.effect, **_ends(part.interval),
    }  # fmt: skip


def _effect(effect: Effect) -> dict[str, Cell]:
    return {
        "scope": "all", "measure": effect.id, "direction": effect.direction,
        "weight": effect.weight, "pairs": effect.pairs, "before": effect.before,
        "after": effect.after, "change": effect.change, "gain": effect.gain, "p": effect.p,
        "q": effect.q, "drift": effect.drift, **_ends(effect.interval),
        **_ends(effect.plan_interval, "plan_"),
    }  # fmt: skip


def _ends(interval: Interval | None, prefix: str = "") -> dict[str, Cell]:
    if interval is None:
        return {}
    return {f"{prefix}low": interval.low, f"{prefix}high": interval.high}
