"""Compares a version in production with the best so far, and decides what is due if it is worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from self_improve.rollout.comparison import lower_by_chance
from self_improve.rollout.settings import Settings
from self_improve.rollout.state import Mark, State
from self_improve.verdict.statistics.intervals import mean
from self_improve.verdict.terms import ERROR


class Finding(StrEnum):
    """The result of a check of a version in production."""

    fine = "FINE"
    search = "SEARCH"
    rollback = "ROLLBACK"
    inconclusive = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class Health:
    """A version's latest marks against the best version's first ones.

    `recent` and `best_mean` are means over `plans` and `best_plans` plans; `ratio` is their ratio,
    `p` the probability of one as low by chance. What could not be measured is None.
    """

    finding: Finding
    reason: str
    version: str
    plans: int
    recent: float | None
    best: str | None
    best_plans: int
    best_mean: float | None
    ratio: float | None
    p: float | None

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values; the stored key of `reason` is "told"."""
        row = asdict(self)
        return {"finding": str(row.pop("finding")), "told": row.pop("reason"), **row}


def health(state: State, version: str, settings: Settings, now: datetime, *, by: str) -> Health:
    """Compare the latest marks of a version with the best level so far.

    A version's level is the mean over its first plans, as many as a stage takes; the best is the
    highest level among the versions that production has had. If the version is itself the best,
    only its later plans are compared with its first ones.

    Args:
        state: the step.
        version: the id of the version.
        settings: the thresholds.
        now: the present time.
        by: votes or scores.
    """
    names = dict.fromkeys((*state.proven, version))
    plans = {name: _plans(state.marks, name, by) for name in names}
    levels = {name: [v for v, _ in rows[: settings.marks]] for name, rows in plans.items()}
    reached = [name for name, level in levels.items() if len(level) >= settings.enough]
    best = max(reached, key=lambda name: mean(levels[name]) or 0.0, default=None)
    since = now - timedelta(days=settings.days)
    later = plans[version][settings.marks if best == version else 0 :]
    recent = [value for value, at in later if at >= since]
    level = levels[best] if best is not None else []
    low = lower_by_chance(recent, level, seed=int(version, 16) % 2**31)
    now_mean, best_mean = mean(recent), mean(level)
    ratio = now_mean / best_mean if now_mean is not None and best_mean else None
    finding, reason = _finding(
        settings, ratio, low, plans=len(recent), has_best=best is not None, is_best=best == version
    )
    return Health(
        finding=finding, reason=reason, version=version, plans=len(recent), recent=now_mean,
        best=best, best_plans=len(level), best_mean=best_mean, ratio=ratio, p=low,
    )  # fmt: skip


def _plans(marks: Sequence[Mark], version: str, by: str) -> list[tuple[float, datetime]]:
    """Return the value of each plan that a version served, in the order of their first marks."""
    values: dict[str, dict[str, float]] = {}
    times: dict[str, datetime] = {}
    for mark in marks:
        if (mark.version, mark.by) == (version, by):
            values.setdefault(mark.plan, {})[mark.voter] = mark.value
            times.setdefault(mark.plan, mark.at)
    return [(sum(of.values()) / len(of), times[plan]) for plan, of in values.items()]


def _finding(
    settings: Settings,
    ratio: float | None,
    p: float | None,
    *,
    plans: int,
    has_best: bool,
    is_best: bool,
) -> tuple[Finding, str]:
    least = settings.enough
    if plans < least or not has_best:
        which = "of the best version" if plans >= least else f"of {settings.days:g} days"
        return Finding.inconclusive, f"{plans} plans {which} are too few: {least} are needed"
    if ratio is None or p is None:
        return Finding.inconclusive, "the best mean is 0, so no share of it can be computed"
    if ratio >= settings.search_below:
        return Finding.fine, f"at {ratio:.0%} of the best"
    if p > ERROR:
        return Finding.inconclusive, f"at {ratio:.0%} of the best, not beyond chance (p = {p:.3f})"
    if ratio >= settings.rollback_below:
        limit = settings.search_below
        return Finding.search, f"at {ratio:.0%} of the best, below {limit:.0%}"
    reason = f"at {ratio:.0%} of the best, below {settings.rollback_below:.0%}"
    if is_best:
        return Finding.search, f"{reason}, and there is no better version to roll back to"
    return Finding.rollback, reason
