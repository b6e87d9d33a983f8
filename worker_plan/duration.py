"""The duration of a task in whole days, from estimates of any quality."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

DEFAULT_DAYS = 7
LONGEST_DAYS = 36_500
_PERIOD = re.compile(
    r"P(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?P<hours>\d+)H)?",
    re.ASCII,
)
_DAYS = {"years": 365, "months": 30, "weeks": 7, "days": 1, "hours": 1 / 24}


@dataclass(frozen=True, kw_only=True)
class DurationEstimate:
    """How many days a task takes: at least, most likely, and at most; None where unknown."""

    low: float | None = None
    likely: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class Duration:
    """The whole days of a task, at least 1, and notes on how they were calculated."""

    days: int
    notes: tuple[str, ...] = ()


def days_of(value: Any) -> float | None:
    """Return how many days `value` means, or None if it is not a duration.

    It may be a number of days, also as text, or a period of ISO 8601 (`P3W`, `PT12H`) with years
    of 365 and months of 30 days.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        period = _PERIOD.fullmatch(value.strip().upper()) if isinstance(value, str) else None
        if period is None:
            days = float(value)
        else:
            counts = {unit: int(count) for unit, count in period.groupdict().items() if count}
            days = (
                sum(_DAYS[unit] * count for unit, count in counts.items()) if counts else math.nan
            )
    except (ValueError, OverflowError):
        return None
    return days if math.isfinite(days) else None


def final_durations(estimates: Mapping[str, DurationEstimate | None]) -> dict[str, Duration]:
    """Return a duration for each task.

    It is the PERT mean of a three-point estimate, (low + 4 likely + high) / 6 (Malcolm,
    Roseboom, Clark and Fazar, Application of a Technique for Research and Development Program
    Evaluation, Operations Research 7, 1959), rounded. Without a usable estimate the duration is
    the median of the others, or `DEFAULT_DAYS` if there are none, and a note says so.
    """
    durations = {key: _duration(estimate) for key, estimate in estimates.items()}
    usable = [duration.days for duration in durations.values() if duration is not None]
    days = round(median(usable)) if usable else DEFAULT_DAYS
    source = "the median of the other estimates" if usable else "the default without any estimate"
    default = Duration(days=days, notes=(f"No usable estimate: {text(days)} taken, {source}.",))
    return {key: duration or default for key, duration in durations.items()}


def text(days: int) -> str:
    """Return a number of days with its unit."""
    return f"{days:,} {'day' if days == 1 else 'days'}"


def _duration(estimate: DurationEstimate | None) -> Duration | None:
    if estimate is None:
        return None
    low, likely, high = (_usable(v) for v in (estimate.low, estimate.likely, estimate.high))
    if likely is None:
        return None
    if low is None or high is None:
        note = "Not all estimates are usable: the likely one taken."
        return Duration(days=max(1, round(likely)), notes=(note,))
    low_, likely_, high_ = sorted((low, likely, high))
    in_order = (low_, likely_, high_) == (low, likely, high)
    return Duration(
        days=max(1, round((low_ + 4 * likely_ + high_) / 6)),
        notes=() if in_order else ("The estimates are not in order: taken by size.",),
    )


def _usable(days: float | None) -> float | None:
    return days if days is not None and 0 <= days <= LONGEST_DAYS else None
