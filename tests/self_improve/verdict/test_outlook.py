"""What more cells would bring."""

from __future__ import annotations

from typing import Any

import pytest

from self_improve.verdict.effects import Composite, Part
from self_improve.verdict.noise import assumed
from self_improve.verdict.outlook import further_cells, is_futile
from tests.self_improve.measured_runs import PLANS, noise, rubric


def composite(effect: float | None, *, pairs: int = 35, **more: Any) -> Composite:
    """Return a composite whose plans all agree."""
    values: dict[str, Any] = {
        "pairs": pairs, "effect": effect, "deviation": 1.0, "interval": None,
        "plan_interval": None, "p": 0.5, "drift": 1.0, "left_out": {}, "models": (),
        "plans": tuple(Part(name=p, pairs=7, effect=effect or 0, interval=None) for p in PLANS),
    }  # fmt: skip
    return Composite(**{**values, **more})


def further(result: Composite, *, cells: int = 35) -> int:
    """Return the further cells of a comparison in which .4 is worth having."""
    return further_cells(result, cells, minimal=0.4, noise=noise(), error=0.025)


def test_the_cells_are_those_that_show_what_was_seen_or_what_is_worth_having() -> None:
    """The larger of the two: 50 pairs for .4, 32 for .5."""
    assert further(composite(0.1)) == 15
    assert further(composite(0.5), cells=35) == 0
    assert further(composite(0.5, pairs=20), cells=20) == 12


def test_drift_takes_more_cells() -> None:
    """As the square of its factor."""
    assert further(composite(0.1, drift=1.4)) == 62


def test_cells_that_fail_take_the_place_of_others() -> None:
    """If half of them fail, twice as many must be run."""
    assert further(composite(0.1), cells=70) == 30


def test_plans_that_do_not_agree_take_more_plans() -> None:
    """Cells of the same plans would not settle that."""
    effects = (0.1, 0.2, 0.5, 0.5, 1.4)
    plans = tuple(
        Part(name=p, pairs=7, effect=e, interval=None) for p, e in zip(PLANS, effects, strict=True)
    )
    assert further(composite(0.54, plans=plans)) > further(composite(0.54))


def test_before_anything_was_seen_the_calibrated_noise_has_to_do() -> None:
    """Or, without it, a guess from the smallest effect worth having."""
    nothing = composite(None, pairs=0, deviation=None, plans=())
    assert further(nothing, cells=0) == 50
    guessed = further_cells(nothing, 0, minimal=0.4, noise=assumed(rubric()), error=0.025)
    assert guessed == 32


@pytest.mark.parametrize(
    ("effect", "share", "futile"),
    [(0.0, 0.5, True), (0.0, 0.25, False), (0.0, 1.0, False), (0.5, 0.5, False)],
)
def test_what_will_hardly_be_decided_is_given_up_after_half(
    effect: float,
    share: float,
    futile: bool,  # noqa: FBT001 - pytest's
) -> None:
    """Not before, and not while something shows."""
    result = composite(effect, pairs=round(80 * share), deviation=0.7)
    assert is_futile(result, share=share, minimal=0.4) == futile


def test_nothing_is_given_up_unseen() -> None:
    """Without an effect there is nothing to go by."""
    assert not is_futile(composite(None), share=0.5, minimal=0.4)
