"""Whether a failure is due to a change: one that occurred before, or only once, is not."""

from __future__ import annotations

from collections import Counter

import pytest

from self_improve.iteration.harm import TRIES, split_by_blame

GATE = "5 to 7 berths"


@pytest.mark.parametrize(
    ("before", "after", "is_harm"),
    [(0, TRIES, True), (1, TRIES, True), (0, TRIES - 1, True), (0, TRIES - 2, False),
     (2, TRIES - 1, False), (TRIES, TRIES, False), (0, 1, False)],
)  # fmt: skip
def test_harm_is_what_the_change_nearly_always_fails(
    *, before: int, after: int, is_harm: bool
) -> None:
    """And clearly more often than the step as it was."""
    again = {"moor": (Counter({GATE: before}), Counter({GATE: after, "another": TRIES}))}
    harm, as_before = split_by_blame({"moor": {GATE: GATE}, "dock": {}}, again)
    assert (harm, as_before) == (([f"moor: {GATE}"], []) if is_harm else ([], [f"moor: {GATE}"]))


def test_step_that_never_ran_as_it_was_blames_nobody() -> None:
    """Nothing can be said of it: neither where one side is missing nor where both are."""
    failed = {"moor": {GATE: GATE}}
    for again in ({}, {"moor": (None, Counter({GATE: TRIES}))}):
        assert split_by_blame(failed, again)[0] == []
