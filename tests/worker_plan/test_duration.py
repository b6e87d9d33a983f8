"""Durations: the mean of three points, and something usable whatever came."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker_plan.duration import (
    DEFAULT_DAYS,
    LONGEST_DAYS,
    Duration,
    DurationEstimate,
    days_of,
    final_durations,
)


def one(low: float | None, likely: float | None, high: float | None) -> Duration:
    """Return the duration of the only task of a plan."""
    return final_durations({"a": DurationEstimate(low=low, likely=likely, high=high)})["a"]


@pytest.mark.parametrize(
    ("value", "days"),
    [
        (3, 3), (2.5, 2.5), ("14", 14), (" 7 ", 7), ("P3W", 21), ("p2d", 2), ("PT12H", 0.5),
        ("P1Y2M", 425), (-4, -4),
        (True, None), (None, None), ("", None), ("P", None), ("PT", None), ("soon", None),
        ("nan", None), (math.inf, None), ([3], None), (10**400, None),
        (f"P{'9' * 5000}D", None), ("1" * 5000, None),
    ],
)  # fmt: skip
def test_periods_become_days(value: Any, days: float | None) -> None:
    """Numbers and periods of ISO 8601 count; anything else is None."""
    assert days_of(value) == days


@pytest.mark.parametrize(
    ("points", "days"), [((2, 5, 14), 6), ((0, 0, 0), 1), ((30, 60, 90), 60), ((0.1, 0.2, 0.3), 1)]
)
def test_three_points_give_the_mean_of_pert(points: tuple[float, ...], days: int) -> None:
    """(low + 4 likely + high) / 6, in whole days, at least 1."""
    assert one(*points) == Duration(days=days)


def test_points_out_of_order_are_taken_by_size() -> None:
    """The note says so."""
    assert one(14, 2, 5) == Duration(
        days=one(2, 5, 14).days, notes=("The estimates are not in order: taken by size.",)
    )


@pytest.mark.parametrize("low", [None, -1, LONGEST_DAYS + 1])
def test_likely_point_counts_alone_if_another_cannot_be_used(low: float | None) -> None:
    """Missing, negative and absurd ones are the same; the note says so."""
    duration = one(low, 10, 20)
    assert duration.days == 10
    assert duration.notes == ("Not all estimates are usable: the likely one taken.",)


def test_missing_estimate_becomes_the_median_of_the_others() -> None:
    """Of tasks with none at all, and of those whose likely point cannot be used."""
    points = {
        key: DurationEstimate(low=n, likely=n, high=n)
        for key, n in {"a": 2, "b": 9, "c": 40}.items()
    }
    durations = final_durations(
        points | {"d": None, "e": DurationEstimate(low=1, likely=-3, high=9)}
    )
    assert [one.days for one in durations.values()] == [2, 9, 40, 9, 9]
    note = "No usable estimate: 9 days taken, the median of the other estimates."
    assert durations["d"].notes == durations["e"].notes == (note,)


def test_without_any_estimate_the_default_is_taken() -> None:
    """The note states it."""
    durations = final_durations({"a": None, "b": None})
    assert [one.days for one in durations.values()] == [DEFAULT_DAYS] * 2
    assert str(DEFAULT_DAYS) in durations["a"].notes[0]


@given(
    st.dictionaries(
        st.text(),
        st.none()
        | st.builds(DurationEstimate, low=st.floats(), likely=st.floats(), high=st.floats()),
    )
)
def test_every_task_gets_a_usable_duration(estimates: dict[str, DurationEstimate | None]) -> None:
    """At least a day, at most the longest."""
    durations = final_durations(estimates)
    assert durations.keys() == estimates.keys()
    assert all(1 <= one.days <= LONGEST_DAYS for one in durations.values())
