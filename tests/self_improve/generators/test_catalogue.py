"""Generators are the files."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress

import pytest

from self_improve.errors import UsageError
from self_improve.generators import catalogue

LONGEST_LINE = 100


def test_every_generator_is_found_and_made() -> None:
    """By the name it has itself, with a docstring that says what a user asks first."""
    metric = {one.name: one for one in catalogue.listed()}
    assert {"operators", "reflective", "opro", "promptbreeder", "spo"} <= set(metric)
    for name, one in metric.items():
        needs_an_extra = "plumbline[" in one.summary
        with suppress(*[UsageError] * needs_an_extra):
            assert catalogue.make(name).name == name
        assert one.summary.endswith(".")
        assert len(one.summary) <= LONGEST_LINE
        assert set(one.facts) == {"source", "defaults", "needs", "costs"}
        assert all(text.endswith(".") for text in one.facts.values())
        assert "--small" in one.facts["defaults"] or name == "operators"


def test_unknown_generator_suggests_the_nearest() -> None:
    """And lists all."""
    with pytest.raises(UsageError, match="Did you mean reflective"):
        catalogue.make("reflection")
    with pytest.raises(UsageError, match="Did you mean gepa"):
        catalogue.listed(["gepe"])


def test_listing_imports_no_generator() -> None:
    """So that one whose package is missing hides no other, and the list comes at once."""
    code = (
        "import sys\nfrom self_improve.generators import catalogue\n"
        "assert len(catalogue.listed()) > 9\n"
        "raise SystemExit('optuna' in sys.modules or 'self_improve.generators.gepa' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
