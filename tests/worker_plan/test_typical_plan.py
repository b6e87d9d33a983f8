"""A command knows what a plan costs before it starts."""

from __future__ import annotations

import pytest

from model_gateway import config
from model_gateway.ledger import Caps
from worker_plan.command_line import SPEEDS, main
from worker_plan.errors import PlanError
from worker_plan.typical_plan import Expected, expected


@pytest.mark.parametrize("speed", SPEEDS)
def test_every_speed_has_figures(speed: str) -> None:
    """A cheaper speed is expected to cost no more than a dearer one."""
    model = config.load().find("haiku")
    full = expected(model, SPEEDS[0])
    estimate = expected(model, speed)
    assert 0 < estimate.calls <= full.calls
    assert estimate.dollars is not None
    assert full.dollars is not None
    assert 0 < estimate.dollars <= full.dollars


def test_cap_without_a_price_is_refused() -> None:
    """A cap on dollars needs a price; a cap on calls does not."""
    unknown = Expected(model="m", calls=1, input_tokens=1, output_tokens=1, dollars=None)
    with pytest.raises(PlanError, match="--max-cost needs a price, and none is known for m"):
        unknown.check(Caps(dollars=1.0))
    unknown.check(Caps(calls=1))


def test_dry_run_tells_and_writes_nothing(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures come at once; no directory is made."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--plan", "A boat.", "--model", "haiku", "--dry-run"]) == 0
    assert "about $" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
