"""The noise of a step: measured, stored, found again, or assumed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from self_improve.comparison import repeated_runs
from self_improve.errors import UsageError
from self_improve.verdict.noise import (  # fmt: skip
    ASSUMED_DRIFT,
    FlipCount,
    Noise,
    find,
    lines,
    path_of,
    spread,
)
from self_improve.verdict.pairing import Pair, Pairing
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
from tools.relabelling import mirrored


def test_without_drift_batches_differ_as_much_as_chance_says() -> None:
    """The root of the mean square of their means in standard errors is about 1."""
    chance = np.random.default_rng(1)
    result = spread([chance.normal(0, 2, 35).tolist() for _ in range(60)])
    assert result is not None
    assert result.deviation == pytest.approx(2, rel=0.1)
    assert result.drift == pytest.approx(1, abs=0.2)


def test_drift_between_batches_is_seen() -> None:
    """A shift of each batch makes them differ more than chance says."""
    chance = np.random.default_rng(1)
    batches = [(chance.normal(0, 1, 35) + chance.normal(0, 0.3)).tolist() for _ in range(60)]
    result = spread(batches)
    assert result is not None
    assert result.drift == pytest.approx((1 + 35 * 0.09) ** 0.5, rel=0.2)
    assert result.widening == pytest.approx(result.drift, rel=0.05)


def test_few_batches_leave_the_assumption_standing() -> None:
    """What decisions use is between what was seen and what is assumed, and never below 1."""
    result = spread([[0.1, -0.1, 0.05, -0.05]])
    assert result is not None
    assert result.drift == pytest.approx(0, abs=1e-6)
    assert result.widening == pytest.approx((2 * 1.96 / 3) ** 0.5, abs=1e-3)


def test_the_scatter_of_a_model_is_drawn_towards_that_of_all() -> None:
    """An unknown model is taken to scatter more than the others do together."""
    chance = np.random.default_rng(1)
    values = [*chance.normal(0, 1, 20).tolist(), *chance.normal(0, 3, 20).tolist()]
    result = spread([values], [["calm"] * 20 + ["wild"] * 20])
    assert result is not None
    calm, wild, new = (result.of_model(model) for model in ("calm", "wild", "new"))
    assert 1 < calm < result.deviation < wild < 3.5
    assert new == pytest.approx(1.5 * result.deviation)


def test_nothing_to_measure_gives_no_spread() -> None:
    """It is None, and not 0."""
    assert spread([]) is None
    assert spread([[0.3]]) is None


def test_the_rate_of_a_model_is_drawn_towards_that_of_all() -> None:
    """An unknown model flips as often as the others do on average."""
    rates = noise(flips={
        "calm": FlipCount(flips=0, pairs=25),
        "wild": FlipCount(flips=10, pairs=25),
    })  # fmt: skip
    assert 0 < rates.flip_rate("calm") < rates.flip_rate("new") < rates.flip_rate("wild") < 0.4
    assert rates.flip_rate("new") == pytest.approx((10 + 0.5) / 55)


def test_a_step_that_was_not_measured_drifts_as_assumed(tmp_path: Path) -> None:
    """And its success flips in one of ten pairs."""
    result = find(rubric(), tmp_path)
    assert result.is_assumed
    assert result.drift(METRIC) == result.composite_drift == ASSUMED_DRIFT
    assert result.flip_rate("a") == pytest.approx(0.1)


def test_noise_is_found_again_where_it_was_stored(tmp_path: Path) -> None:
    """Number for number."""
    measured = repeated_runs.noise_of([noisy(seed=n) for n in range(5)], rubric(), ["0/00 = 0/07"])
    path = path_of("find", tmp_path)
    path.parent.mkdir()
    path.write_text(measured.model_dump_json())
    assert find(rubric(), tmp_path) == measured
    assert not measured.is_assumed


def test_a_file_that_holds_no_noise_is_refused(tmp_path: Path) -> None:
    """With the command that measures it again."""
    path = path_of("find", tmp_path)
    path.parent.mkdir()
    path.write_text('{"step": "find"}')
    with pytest.raises(UsageError, match=r"self_improve\.noise"):
        find(rubric(), tmp_path)


def test_flips_of_success_are_counted_by_model() -> None:
    """Both ways, without those that lie outside of the prompt."""
    batches = [
        noisy(lost(("boat", "a"), ("moor", "a"))),
        mirrored(noisy(lost(("boat", "a")))),
        noisy(lost(("boat", "b"), kind="server")),
    ]
    result = repeated_runs.noise_of(batches, rubric())
    assert (result.flips["a"].flips, result.flips["a"].pairs) == (3, 15)
    assert (result.flips["b"].flips, result.flips["b"].pairs) == (0, 14)
    assert (result.batches, result.pairs) == (3, 3 * len(PLANS) * len(MODELS))


def test_a_drift_of_the_outputs_is_found_in_the_composite() -> None:
    """Batches that differ by more than their cells do."""
    calm = repeated_runs.noise_of([noisy(seed=n) for n in range(8)], rubric())
    wild = repeated_runs.noise_of(
        [noisy(better((-1) ** n * 0.15), seed=n) for n in range(8)], rubric()
    )
    assert calm.composite is not None
    assert wild.composite is not None
    assert wild.composite_drift > 1.5 > calm.composite_drift
    assert wild.drift(METRIC) > calm.drift(METRIC)


def test_copies_show_no_noise() -> None:
    """A server that honours the seed repeats itself, and a deviation of 0 makes all certain."""
    runs = noisy()
    copies = Pairing(pairs=tuple(Pair(before=p.before, after=p.before) for p in runs.pairs))
    with pytest.raises(UsageError, match="honours the seed"):
        repeated_runs.require_variation(repeated_runs.noise_of([copies], rubric()), [copies])
    repeated_runs.require_variation(repeated_runs.noise_of([runs], rubric()), [runs])


def test_noise_is_summarised_in_lines() -> None:
    """Every model and every metric has one."""
    measured = repeated_runs.noise_of([noisy(seed=n) for n in range(2)], rubric())
    summary = lines(measured)
    assert summary[0] == "find: 70 pairs of cells in 2 batches"
    assert len(summary) == 1 + len(MODELS) + 1 + 2
    assert Noise.model_validate_json(measured.model_dump_json()) == measured
