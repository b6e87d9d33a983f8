"""What planned cells can decide, as a line."""

from __future__ import annotations

from self_improve.comparison.before_spending import sentence


def test_a_step_without_a_rubric_has_its_line_too() -> None:
    """Its rubric is derived from its outputs later, and its noise is assumed."""
    models = ["a", "b", "c", "d", "e", "f", "g"]
    line = sentence("a_step_of_a_host", plans=5, models=models, repeats=1)
    assert line is not None
    assert line.startswith("compared with as many cells: 35 pairs find an effect of 0.25 in ")
    assert line.endswith(
        "a_step_of_a_host has no rubric of its own, so one is derived from its outputs"
    )
    written = sentence("identify_potential_levers", plans=5, models=models, repeats=1)
    assert written is not None
    assert "no rubric of its own" not in written


def test_without_cells_there_is_nothing_to_say() -> None:
    """A command that names no plan is refused elsewhere."""
    assert sentence("a_step_of_a_host", plans=0, models=["a"], repeats=1) is None
