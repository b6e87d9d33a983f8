"""How a version fares against the best there was, and what is to be done where it fares worse."""

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
    """What is said of a version in production."""

    fine = "FINE"
    search = "SEARCH"
    rollback = "ROLLBACK"
    inconclusive = "INCONCLUSIVE"


@dataclass(frozen=True, kw_only=True)
class Health:
    """A version's latest marks against the best version's first ones.

    `recent` and `best_mean` are means over so many plans; `ratio` is that of the two, `p` the
    probability that it is so low by chance. What could not be measured is None.
    """

    finding: Finding
    told: str
    version: str
    plans: int
    recent: float | None
    best: str | None
    best_plans: int
    best_mean: float | None
    ratio: float | None
    p: float | None

    def to_row(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "finding": str(self.finding)}


def health(state: State, version: str, settings: Settings, now: datetime, *, by: str) -> Health:
    """Hold the latest marks of a version against the best that was reached.

    A version's level is the mean over its first plans, as many as a stage takes; the best is the
    highest level among the versions that production has had. A version's own first plans are no
    evidence of what became of it, so where it is itself the best only later ones are held against
    them.

    Args:
        state: the step.
        version: the id of the version.
        settings: the thresholds.
        now: the present time.
        by: votes or scores.
    """
    names = dict.fromkeys((*state.proven, version))
    plans = {name: _plans(state.marks, name, by) for name in names}
    levels = {name: [v for v, _ in own[: settings.marks]] for name, own in plans.items()}
    known = [name for name, level in levels.items() if len(level) >= settings.enough]
    best = max(known, key=lambda name: mean(levels[name]) or 0.0, default=None)
    since = now - timedelta(days=settings.days)
    later = plans[version][settings.marks if best == version else 0 :]
    recent = [value for value, at in later if at >= since]
    level = levels[best] if best is not None else []
    low = lower_by_chance(recent, level, seed=int(version, 16) % 2**31)
    now_mean, best_mean = mean(recent), mean(level)
    ratio = now_mean / best_mean if now_mean is not None and best_mean else None
    finding, told = _found(
        settings, ratio, low, plans=len(recent), has_best=best is not None, is_best=best == version
    )
    return Health(
        finding=finding, told=told, version=version, plans=len(recent), recent=now_mean, best=best,
        best_plans=len(level), best_mean=best_mean, ratio=ratio, p=low,
    )  # fmt: skip


def _plans(marks: Sequence[Mark], version: str, by: str) -> list[tuple[float, datetime]]:
    """Return the value of each plan that a version served, in the order of their first marks."""
    said: dict[str, dict[str, float]] = {}
    times: dict[str, datetime] = {}
    for mark in marks:
        if (mark.version, mark.by) == (version, by):
            said.setdefault(mark.plan, {})[mark.voter] = mark.value
            times.setdefault(mark.plan, mark.at)
    return [(sum(own.values()) / len(own), times[plan]) for plan, own in said.items()]


def _found(
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
        return Finding.inconclusive, f"{plans} plans {which} are too few: it takes {least}"
    if ratio is None or p is None:
        return Finding.inconclusive, "the best mean is 0, so there is no share of it"
    if ratio >= settings.search_below:
        return Finding.fine, f"at {ratio:.0%} of the best"
    if p > ERROR:
        return Finding.inconclusive, f"at {ratio:.0%} of the best, not beyond chance (p = {p:.3f})"
    if ratio >= settings.rollback_below:
        limit = settings.search_below
        return Finding.search, f"at {ratio:.0%} of the best, below {limit:.0%}"
    told = f"at {ratio:.0%} of the best, below {settings.rollback_below:.0%}"
    if is_best:
        return Finding.search, f"{told}, and there is no better version to go back to"
    return Finding.rollback, told
