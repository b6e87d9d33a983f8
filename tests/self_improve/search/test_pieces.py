"""Prompts come apart and together in any script."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from self_improve.search.pieces import joined, numbers, split


@given(st.text(alphabet="ab. \n>-1!。、“”", max_size=80))
def test_pieces_join_to_the_text(text: str) -> None:
    """Nothing is lost between them."""
    assert "".join(piece.text for piece in split(text)) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Name it. Give a reason! Why?\n", 3),
        ("名前を付けて。理由を言って。\n", 2),
        ("نام بنویس. چرا؟\n", 2),
        ("> A whole quote. In one piece.\n", 1),
    ],
)
def test_sentences_are_found_by_their_signs(text: str, count: int) -> None:
    """Whatever the script; what is quoted stays whole."""
    assert len(split(text)) == count


def test_numbered_item_keeps_its_marker() -> None:
    """The full stop of the marker ends no sentence."""
    first, second = split("1. Name every berth. Then stop.\n")
    assert (first.text, first.item) == ("1. Name every berth. ", True)
    assert not second.item


def test_gap_of_a_dropped_piece_closes() -> None:
    """Two empty lines in a row become one."""
    assert joined(split("A.\n\n\n\nB.\n")) == "A.\n\nB.\n"


def test_numbers_stand_alone() -> None:
    """Parts of words, decimals and years are none."""
    assert [n for *_, n in numbers("5 to 7 of v2, 3.5 and 2026, 12 words")] == [5, 7, 12]
