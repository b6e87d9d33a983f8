"""Numbers, intervals and tables as plain text."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from prompt_lab.tables import aligned, interval, number


@dataclass
class Ends:
    """A range."""

    low: float
    high: float


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (None, "", "–"),
        (0.12345, "", "0.123"),
        (12.345, "", "12.35"),
        (-1234.5, "", "-1,234"),
        (0.5, "+", "+0.500"),
        (0.5, ".1f", "0.5"),
    ],
)
def test_number_has_the_decimals_that_its_size_makes_useful(
    value: float | None, form: str, text: str
) -> None:
    """Unless a form is given; a missing value is a dash."""
    assert number(value, form) == text


def test_interval_names_both_ends() -> None:
    """With signs; a missing one is a dash."""
    assert interval(Ends(-0.5, 1.25)) == "-0.500 to +1.250"
    assert interval((0.5, 1.25), ".3g") == "0.5 to 1.25"
    assert interval(None) == "–"


def test_columns_are_aligned() -> None:
    """Left or right, with a line below the head where it is asked for."""
    rows = [("name", "n"), ("a", "10"), ("longer", "")]
    assert aligned(rows) == ["name    n", "a       10", "longer"]
    assert aligned(rows, right={1}, rule=True) == [
        "name     n", "──────  ──", "a       10", "longer",
    ]  # fmt: skip
