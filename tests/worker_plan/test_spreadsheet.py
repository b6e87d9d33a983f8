"""Texts in cells: what a spreadsheet would calculate is marked, and comes back as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker_plan.spreadsheet import cell, text_of


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'=1"])
def test_formula_is_marked_as_text(text: str) -> None:
    """An apostrophe stands before it."""
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "Oven", "'twas", "パン", "3 - 2"])
def test_other_text_stays_as_it_is(text: str) -> None:
    """Nothing is added to it, and nothing taken away."""
    assert cell(text) == text_of(text) == text


@given(st.text(st.sampled_from("'=+-@\t\rab")))
def test_text_comes_back(text: str) -> None:
    """Whatever it begins with."""
    assert text_of(cell(text)) == text
