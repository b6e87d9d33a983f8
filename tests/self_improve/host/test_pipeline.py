"""A zygote's description of its code is believed only if it is one."""

from __future__ import annotations

from typing import Any

import pytest

from self_improve.host.pipeline import Pipeline

STEP: dict[str, Any] = {
    "name": "find", "task": "steps:Find", "route": [0], "upstream": [], "inputs": ["a.txt"],
    "outputs": ["b.txt"], "external": False, "calls_model": True, "surfaces": ["steps:A"],
}  # fmt: skip
SURFACE = {"id": "steps:A", "kind": "constant", "text": "Find \ud800."}


def test_a_description_is_read() -> None:
    """Its steps and surfaces are found by name and id."""
    pipeline = Pipeline.from_row({"steps": [STEP], "surfaces": [SURFACE]})
    assert pipeline.steps["find"].route == (0,)
    assert pipeline.surfaces["steps:A"].text == SURFACE["text"]


@pytest.mark.parametrize(
    ("step", "surface"),
    [
        ({"name": "../find"}, {}), ({"name": 1}, {}), ({"route": ["0"]}, {}), ({"inputs": [1]}, {}),
        ({"more": 1}, {}), ({"inputs": ["a\0"]}, {}), ({}, {"id": "no colon"}),
        ({}, {"id": "..:A"}), ({}, {"text": None}),
    ],
)  # fmt: skip
def test_anything_else_is_refused(step: dict[str, Any], surface: dict[str, Any]) -> None:
    """Names become paths, and types are relied on."""
    with pytest.raises((ValueError, TypeError, LookupError)):
        Pipeline.from_row({"steps": [STEP | step], "surfaces": [SURFACE | surface]})
