"""The noise of a step: measured, stored, found again, or assumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from self_improve.comparison import repeated_runs
from self_improve.errors import UsageError
from self_improve.verdict import noise as calibration
from self_improve.verdict.noise import Noise, spread
from tests.self_improve.measured_runs import (  # fmt: skip
    METRIC,
    MODELS,
    PLANS,
    better,
    lost,
    noise,
    noisy,
    rubric,
)


def test_without_drift_batches_differ_as_much_as_chance_says() -> None:
    """The root of the mean square of their means in standard errors is about 1."""
    chance = np.random.default_rng(1)
    found = spread([chance.normal(0, 2, 35).tolist() for _ in range(60)])
    assert found is not None
    assert found.deviation == pytest.approx(2, rel=0.1)
    assert found.drift == pytest.approx(1, abs=0.2)


def test_drift_between_batches_is_seen() -> None:
    """A shift of each batch makes them differ more than chance says."""
    chance = np.random.default_rng(1)
    batches = [(chance.normal(0, 1, 35) + chance.normal(0, 0.3)).tolist() for _ in range(60)]
    found = spread(batches)
    assert found is not None
    assert found.drift == pytest.approx((1 + 35 * 0.09) ** 0.5, rel=0.2)
    assert found.widening == pytest.approx(found.drift, rel=0.05)


def test_few_batches_leave_the_assumption_standing() -> None:
    """What decisions use lies between what was seen and what is assumed, and never below 1."""
    found = spread([[0.1, -0.1, 0.05, -0.05]])
    assert found is not None
    assert found.drift == pytest.approx(0, abs=1e-6)
    assert found.widening == pytest.approx((10 * 1.96 / 11) ** 0.5, abs=1e-3)


def test_nothing_to_measure_gives_no_spread() -> None:
    """It is None, and not 0."""
    assert spread([]) is None
    assert spread([[0.3]]) is None


def test_the_rate_of_a_model_is_drawn_towards_that_of_all() -> None:
    """A model that nobody has seen flips as often as the others do on the whole."""
    known = noise(flips={
        "calm": calibration.Flipping(flips=0, pairs=25),
        "wild": calibration.Flipping(flips=10, pairs=25),
    })  # fmt: skip
    assert 0 < known.flip_rate("calm") < known.flip_rate("new") < known.flip_rate("wild") < 0.4
    assert known.flip_rate("new") == pytest.approx((10 + 0.5) / 55)


def test_a_step_that_nobody_has_measured_drifts_as_assumed(tmp_path: Path) -> None:
    """And its success flips in one of ten pairs."""
    found = calibration.find(rubric(), tmp_path)
    assert found.is_assumed
    assert found.drift(METRIC) == found.composite_drift == calibration.ASSUMED_DRIFT
    assert found.flip_rate("a") == pytest.approx(0.1)


def test_noise_is_found_again_where_it_was_stored(tmp_path: Path) -> None:
    """Number for number."""
    measured = repeated_runs.measured([noisy(seed=n) for n in range(5)], rubric(), ["0/00 = 0/07"])
    path = calibration.path_of("find", tmp_path)
    path.parent.mkdir()
    path.write_text(measured.model_dump_json())
    assert calibration.find(rubric(), tmp_path) == measured
    assert not measured.is_assumed


def test_a_file_that_holds_no_noise_is_refused(tmp_path: Path) -> None:
    """With the command that measures it anew."""
    path = calibration.path_of("find", tmp_path)
    path.parent.mkdir()
    path.write_text('{"step": "find"}')
    with pytest.raises(UsageError, match=r"self_improve\.noise"):
        calibration.find(rubric(), tmp_path)


def test_flips_of_success_are_counted_by_model() -> None:
    """Both ways, without those that lie outside of the prompt."""
    batches = [
        noisy(lost(("boat", "a"), ("moor", "a"))),
        noisy(lost(("boat", "a"))).reversed,
        noisy(lost(("boat", "b"), kind="server")),
    ]
    found = repeated_runs.measured(batches, rubric())
    assert (found.flips["a"].flips, found.flips["a"].pairs) == (3, 15)
    assert (found.flips["b"].flips, found.flips["b"].pairs) == (0, 14)
    assert (found.batches, found.pairs) == (3, 3 * len(PLANS) * len(MODELS))


def test_a_drift_of_the_outputs_is_found_in_the_composite() -> None:
    """Batches that differ by more than their cells do."""
    calm = repeated_runs.measured([noisy(seed=n) for n in range(8)], rubric())
    wild = repeated_runs.measured(
        [noisy(better((-1) ** n * 0.15), seed=n) for n in range(8)], rubric()
    )
    assert calm.composite is not None
    assert wild.composite is not None
    assert wild.composite_drift > 1.5 > calm.composite_drift
    assert wild.drift(METRIC) > calm.drift(METRIC)


def test_noise_is_told_in_lines() -> None:
    """Every model and every metric has one."""
    measured = repeated_runs.measured([noisy(seed=n) for n in range(2)], rubric())
    lines = calibration.text(measured)
    assert lines[0] == "find: 70 pairs of cells in 2 batches"
    assert len(lines) == 1 + len(MODELS) + 1 + 2
    assert Noise.model_validate_json(measured.model_dump_json()) == measured
