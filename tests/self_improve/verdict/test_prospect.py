"""What planned cells can decide, before anything is spent."""

from __future__ import annotations

import subprocess
import sys

import pytest

from self_improve.verdict.prospect import prospect
from tests.self_improve.measured_runs import MODELS, noise, rubric


@pytest.mark.parametrize(("plans", "models"), [(5, 1), (1, 5)])
def test_five_pairs_can_never_reach_significance(plans: int, models: int) -> None:
    """And the text has the repeats that could."""
    result = prospect(rubric(), noise(), plans=plans, models=MODELS[:models])
    assert result.found == 0
    assert result.text.startswith(f"{plans * models} pair")
    assert "can never reach significance; with `--repeats" in result.text


def test_more_cells_find_more() -> None:
    """An effect of the size worth a merge more often than one of half that size."""
    few = prospect(rubric(), noise(), plans=5, models=MODELS)
    many = prospect(rubric(), noise(), plans=5, models=MODELS, repeats=4)
    assert few.half_found < few.found < many.found
    assert (few.pairs, many.pairs) == (35, 140)
    assert few.repeats is not None
    again = prospect(rubric(), noise(), plans=5, models=MODELS, repeats=few.repeats)
    assert again.found == few.found_then
    assert again.found >= 0.8


def test_what_was_not_measured_is_said_to_be_assumed() -> None:
    """Its deviation is twice the smallest effect."""
    result = prospect(rubric(), noise(composite=None), plans=5, models=MODELS)
    assert result.text.endswith("(noise assumed, not measured)")


def test_it_needs_none_of_the_statistics_that_take_a_second_to_import() -> None:
    """Every run says it first."""
    code = "import sys, self_improve.verdict.prospect; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
