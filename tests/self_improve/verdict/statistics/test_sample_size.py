"""How many pairs it takes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from self_improve.verdict.statistics.sample_size import (
    chance_by_trend,
    conditional_power,
    pairs_needed,
    visible,
)


def test_as_many_pairs_as_needed_show_the_effect_in_four_of_five_cases() -> None:
    """By simulation of the test itself."""
    needed = pairs_needed(0.5, 1.0, alpha=0.025)
    assert needed == 32
    samples = np.random.default_rng(1).normal(0.5, 1, (4000, needed))
    shown = samples.mean(axis=1) > 1.96 / needed**0.5
    assert shown.mean() == pytest.approx(0.8, abs=0.03)


def test_no_effect_needs_no_number() -> None:
    """It is undefined, and not infinite."""
    assert pairs_needed(0.0, 1.0, alpha=0.025) is None


def test_the_visible_effect_is_the_one_that_needs_so_many_pairs() -> None:
    """Both are each other's inverse."""
    effect = visible(35, 1.0, alpha=0.025)
    assert pairs_needed(effect, 1.0, alpha=0.025) in {35, 36}


def test_what_is_left_decides_how_much_can_still_change() -> None:
    """With few pairs left a far goal is out of reach, with many it is not."""
    shared = {"goal": 0.5, "mean": 0.1, "planned": 40}
    late = conditional_power(0.1, 1.0, seen=36, **shared)
    early = conditional_power(0.5, 1.0, seen=10, **shared)
    assert late < 0.001
    assert early > 0.1
    assert conditional_power(0.1, 1.0, seen=40, **{**shared, "goal": 0.05}) == 1.0


def test_a_trend_goes_on_as_simulated() -> None:
    """The sum of what was seen, and of as much again with the mean that was seen."""
    z = 1.2
    later = np.random.default_rng(1).normal(z / 0.5**0.5 * 0.5, 0.5**0.5, 20_000)
    shown = z * 0.5**0.5 + later > 1.96
    chance = chance_by_trend(float(stats.norm.sf(z)), share=0.5, alpha=0.025)
    assert chance == pytest.approx(float(shown.mean()), abs=0.01)
    assert chance_by_trend(1.0, share=0.5, alpha=0.025) == 0
    assert chance_by_trend(0.01, share=1.0, alpha=0.025) == 1
