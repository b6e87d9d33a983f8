"""Which version a plan gets."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from self_improve.rollout.version import gets_new, may_vote

NAMES = st.text(max_size=30)
WEIGHTS = st.floats(min_value=0, max_value=100)
MANY = [f"plan-{n}" for n in range(20_000)]


@given(NAMES, NAMES, NAMES, WEIGHTS, WEIGHTS)
def test_greater_weight_takes_it_from_no_plan(plan, step, salt, one, other) -> None:
    """Who has the new version at a weight has it at every greater one."""
    low, high = sorted((one, other))
    assert gets_new(plan, step, salt, low) <= gets_new(plan, step, salt, high)


@given(NAMES, NAMES, NAMES)
def test_ends_of_the_scale_are_nobody_and_everybody(plan, step, salt) -> None:
    """At 0 no plan has the new version, at 100 every plan has it."""
    assert not gets_new(plan, step, salt, 0)
    assert gets_new(plan, step, salt, 100)
    assert may_vote(plan, step, salt, 1)


@given(NAMES, NAMES, NAMES, WEIGHTS)
def test_same_plan_gets_the_same_again(plan, step, salt, weight) -> None:
    """Nothing but plan, step, salt and weight has a say."""
    result = {gets_new(plan, step, salt, weight) for _ in range(3)}
    assert len(result) == 1


def test_another_process_says_the_same() -> None:
    """Neither Python's hash seed nor the order of questions has a say; these are fixed for good."""
    names = ["plan-1", "Plan ü", "計画", "a b"]
    code = (
        "from self_improve.rollout.version import _position\n"
        f"print([_position('version', name, 'step', 'salt') for name in {names!r}])"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True, text=True, check=True, encoding="utf-8",
    ).stdout  # fmt: skip
    assert output.strip() == (
        "[8279667178832217298, 5918680732954718583, 5700596556683299258, 9323139843377539795]"
    )


def test_weights_are_kept() -> None:
    """Of 20,000 plans the shares lie within four standard errors of the weight."""
    for weight in (5, 10, 20, 50):
        result = sum(gets_new(plan, "s", "salt", weight) for plan in MANY) / len(MANY)
        share = weight / 100
        assert abs(result - share) < 4 * (share * (1 - share) / len(MANY)) ** 0.5


def test_who_is_asked_does_not_depend_on_the_version() -> None:
    """Half of the plans of each version are shown, and another salt chooses others."""
    on_new = [plan for plan in MANY if gets_new(plan, "s", "salt", 20)]
    shown = sum(may_vote(plan, "s", "salt", 0.5) for plan in on_new) / len(on_new)
    assert abs(shown - 0.5) < 0.04
    both = sum(gets_new(plan, "s", "other", 20) for plan in on_new) / len(on_new)
    assert abs(both - 0.2) < 0.04


def test_names_do_not_run_into_each_other() -> None:
    """The pairs `ab`, `c` and `a`, `bc` are kept apart."""
    differing = [
        gets_new(f"{n}b", "c", "s", 50) != gets_new(f"{n}", "bc", "s", 50) for n in range(64)
    ]
    assert any(differing)
