"""Declared effects as they are written on a command line."""

from __future__ import annotations

import pytest

from rubrics.rubric import MetricUse
from self_improve.errors import UsageError
from self_improve.verdict.expectation import Expectation, parse, scope_of
from tests.self_improve.measured_runs import METRIC, lost, noisy, rubric


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{METRIC}:lower", Expectation(metric=METRIC, direction="lower")),
        (
            f"{METRIC}:higher:model=a:plan=boat:plan=moor",
            Expectation(metric=METRIC, direction="higher", models=("a",), plans=("boat", "moor")),
        ),
        (
            "success:higher:model=llama3.1:8b",
            Expectation(metric="success", direction="higher", models=("llama3.1:8b",)),
        ),
        (
            f"{METRIC}:lower:primary:model=a",
            Expectation(metric=METRIC, direction="lower", models=("a",), primary=True),
        ),
        ("items:lower:plan=boat", Expectation(metric="items", direction="lower", plans=("boat",))),
    ],
)
def test_an_expectation_names_metric_direction_and_scope(text: str, expected: Expectation) -> None:
    """The metric's id may hold colons itself."""
    assert parse(text, rubric()) == expected
    assert expected.text == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (METRIC, "has no direction"),
        (f"{METRIC}:less", "has no direction"),
        ("duplicate_name:lower", "Did you mean duplicate_names:name"),
        ("short_texts:lower", r"Did you mean short_texts:options or short_texts:review\?"),
        ("nonsense:lower", "has no measure 'nonsense'. There are: success, items, duplicate_names"),
    ],
)
def test_what_is_not_an_expectation_is_refused_with_a_hint(text: str, message: str) -> None:
    """Before anything is run."""
    fields = ("options", "review")
    uses = [MetricUse(metric="short_texts", fields=(name,), scale=0.1) for name in fields]
    rules = rubric(metrics=(*rubric().metrics, *uses))
    with pytest.raises(UsageError, match=message):
        parse(text, rules)


def test_the_scope_holds_the_pairs_in_which_the_measure_is_defined() -> None:
    """Content is undefined in a failed cell, success is not."""
    pairing = noisy(lost(("boat", "a")))
    content = Expectation(metric=METRIC, direction="lower", models=("a",))
    success = Expectation(metric="success", direction="higher", models=("a",))
    assert len(scope_of(content, pairing.pairs)[0]) == 4
    numbers, changes = scope_of(success, pairing.pairs)
    assert len(numbers) == 5
    assert sorted(changes) == [-1.0, 0.0, 0.0, 0.0, 0.0]
