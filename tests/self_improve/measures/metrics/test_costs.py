"""What a cell costs, apart from how good it is."""

from __future__ import annotations

import pytest

from tests.self_improve.subjects import subject, value

FACTS = {
    "seconds": 12.0, "calls": 3.0, "attempts": 5.0, "input_tokens": 900.0, "output_tokens": 300.0,
    "cost": 0.25, "prompt_chars": 2000.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("latency", 4.0),
        ("retries", 2.0),
        ("input_tokens", 900.0),
        ("output_tokens", 300.0),
        ("cost", 0.25),
        ("prompt_chars", 2000.0),
    ],
)
def test_a_cost_is_what_the_row_tells(metric: str, expected: float) -> None:
    """Latency is counted per call, retries beyond the first attempt of each."""
    assert value(metric, subject([], facts=FACTS)) == expected


@pytest.mark.parametrize(
    "metric", ["latency", "retries", "input_tokens", "output_tokens", "cost", "prompt_chars"]
)
def test_a_cost_that_is_not_recorded_is_undefined(metric: str) -> None:
    """It is never 0."""
    assert value(metric, subject([], facts=dict.fromkeys(FACTS))) is None
