"""Suggestions for a name that is unknown."""

from __future__ import annotations

from model_gateway.suggestions import did_you_mean


def test_near_names_are_suggested_and_others_are_not() -> None:
    """Up to three, the nearest first; nothing where none is near."""
    assert did_you_mean("leaver", ["lever", "levers", "plan"]) == " Did you mean lever or levers?"
    assert did_you_mean("x", ["lever", "plan"]) == ""
