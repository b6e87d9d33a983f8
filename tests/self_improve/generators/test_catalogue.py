"""Generators are the files."""

from __future__ import annotations

import pytest

from self_improve.errors import UsageError
from self_improve.generators import catalogue


def test_every_generator_is_found_and_made() -> None:
    """By the name it has itself, with a docstring that says source and defaults."""
    found = {one.name: one for one in catalogue.listed()}
    assert {"operators", "reflective"} <= set(found)
    for name, one in found.items():
        assert catalogue.make(name).name == name
        assert one.summary.endswith(".")
        assert "Source: " in one.told
        assert "efaults: " in one.told


def test_unknown_generator_suggests_the_nearest() -> None:
    """And lists all."""
    with pytest.raises(UsageError, match="Did you mean reflective"):
        catalogue.make("reflection")
