"""When two names are the same, and which items have a name of their own."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker_plan.names import distinct, normalized


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Oven fuel", "OVEN FUEL"),
        ("Oven fuel", " oven  fuel. "),
        ("Oven-fuel", "Oven: fuel!"),
        ("Ｏｖｅｎ　ｆｕｅｌ", "oven fuel"),
        ("STRASSE", "straße"),
        ("ﾊﾟﾝの価格", "パンの価格"),
        ("「パンの価格」", "パンの価格"),
        ("سعر الخبز؟", "سعر الخبز"),
        ("Cafe\u0301", "Café"),
    ],
)
def test_names_are_compared_without_case_width_and_punctuation(one: str, other: str) -> None:
    """Case, width, accents' encoding, spaces and punctuation make no difference."""
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Oven fuel", "Oven fire"),
        ("パンの価格", "パンの品質"),
        ("سعر الخبز", "جودة الخبز"),
        ("Phase 1", "Phase 2"),
        ("दिन", "दान"),
        ("กา", "กี"),
        ("நீர்", "நார்"),
    ],
)
def test_different_names_stay_different(one: str, other: str) -> None:
    """In any script, other words are another name."""
    assert normalized(one) != normalized(other)


@settings(deadline=None)
@given(st.text(max_size=30))
def test_normalized_name_is_stable(name: str) -> None:
    """Taking it twice, or of the name in capitals with marks around it, changes nothing."""
    assert normalized(normalized(name)) == normalized(name)
    assert normalized(f" «{name}»! ") == normalized(name)


def test_items_without_a_name_of_their_own_are_refused() -> None:
    """No name, an earlier item's name, and one item too many: each with its reason."""
    titles = ["Baker", " ", "BAKER!", "Miller", "Bargee"]
    accepted, refused = distinct(titles, str, key="title", most=2, kind="roles")
    assert accepted == ["Baker", "Miller"]
    assert refused == [
        {"title": " ", "reason": "no title"},
        {"title": "BAKER!", "reason": "title already there"},
        {"title": "Bargee", "reason": "more than 2 roles"},
    ]
