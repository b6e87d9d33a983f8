"""Places in JSON."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from self_improve.records import json_paths

VALUE = {"a": [{"b": 1}, {"b": [2, 3]}, {"c": 4}], "d": {"x": 5, "y": {"z": 6}}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("a.b", [1, 2, 3]),
        ("a[].b", [1, 2, 3]),
        ("a[]", VALUE["a"]),
        ("d.x", [5]),
        ("d[]", [5, {"z": 6}]),
        ("d[].z", [6]),
        ("a.b.c", []),
        ("none", []),
        ("", [VALUE]),
    ],
)
def test_a_place_leads_through_objects_and_lists(place: str, expected: list[Any]) -> None:
    """A list stands for its items; what is not there is nothing."""
    assert json_paths.items_at(VALUE, place) == expected


def test_a_list_can_be_asked_for_itself() -> None:
    """To see whether it is empty."""
    assert json_paths.values_at({"a": []}, "a") == [[]]
    assert json_paths.values_at(VALUE, "a.b") == [1, [2, 3]]


def test_leaves_are_the_texts_in_order() -> None:
    """Numbers and nulls are none."""
    value = {"a": ["x", 1, {"b": "y"}], "c": [["z"], None]}
    assert list(json_paths.texts_in(value)) == ["x", "y", "z"]


@settings(deadline=None)
@given(JSON, st.sampled_from(["", "a", "a.b", "a[]", "a[].b", "b[].c.d"]))
def test_any_json_has_something_or_nothing_at_a_place(value: Any, place: str) -> None:
    """It is never an error."""
    assert isinstance(json_paths.items_at(value, place), list)
    assert isinstance(json_paths.values_at(value, place), list)
    assert all(isinstance(text, str) for text in json_paths.texts_in(value))
