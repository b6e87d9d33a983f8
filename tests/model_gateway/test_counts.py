"""Counts in messages."""

from __future__ import annotations

import pytest

from model_gateway.counts import counted, tally


@pytest.mark.parametrize(
    ("number", "words", "text"),
    [
        (0, ("cell",), "0 cells"),
        (1, ("cell",), "1 cell"),
        (2, ("cell",), "2 cells"),
        (1, ("batch", "batches"), "1 batch"),
        (11, ("batch", "batches"), "11 batches"),
    ],
)
def test_nouns_have_the_number_of_their_count(
    number: int, words: tuple[str, ...], text: str
) -> None:
    """There is neither `1 cells` nor `2 batchs`."""
    assert counted(number, *words) == text


def test_zeros_are_left_out() -> None:
    """A line names only what happened."""
    assert tally((5, "ok"), (0, "failed"), (1, "partial")) == "5 ok, 1 partial"
    assert tally((0, "ok"), (2, "failed")) == "2 failed"
    assert tally((0, "ok"), (0, "failed")) == ""
