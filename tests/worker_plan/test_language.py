"""Direction and language come from the letters, never from words."""

from __future__ import annotations

import pytest

from worker_plan.language import direction, language

ARABIC = "مخبز على قارب في القناة: خبز طازج للقرى على طول 40 كيلومترا."
JAPANESE = "運河の船の上にパン屋を開き、40キロの川沿いの村々にパンを届ける。"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ARABIC, "rtl"),
        ("מאפייה על סירה בתעלה", "rtl"),
        (f"{ARABIC} (ISO 9001, GmbH)", "rtl"),
        ("A bakery called مخبز on a canal boat.", "ltr"),
        (JAPANESE, "ltr"),
        ("2026: 40 % + 12 !", "ltr"),
        ("", "ltr"),
    ],
)
def test_direction_is_that_of_most_letters(text: str, expected: str) -> None:
    """Digits and signs have no say, a few words in another script do not turn the page."""
    assert direction(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (JAPANESE, "ja"),
        ("운하의 배 위에 빵집을 연다.", "ko"),
        ("在运河的船上开一家面包店。", None),
        (ARABIC, None),
        ("Une boulangerie sur une péniche.", None),
        ("The wagashi is called どら焼き and is sold on a boat in the middle of the canal.", None),
        ("40 %", None),
        ("", None),
    ],
)
def test_language_is_named_only_where_letters_identify_it(text: str, expected: str | None) -> None:
    """Scripts that serve several languages tell none, nor does a quoted word."""
    assert language(text) == expected
