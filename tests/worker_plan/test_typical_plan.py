"""A command knows what a plan costs before it starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from model_gateway import entry_files
from worker_plan.command_line import SPEEDS, main
from worker_plan.typical_plan import expected


@pytest.mark.parametrize("speed", SPEEDS)
def test_every_speed_has_figures(speed: str) -> None:
    """A cheaper speed is expected to cost no more than a dearer one."""
    model = entry_files.load().find("haiku")
    full = expected(model, SPEEDS[0])
    estimate = expected(model, speed)
    assert 0 < estimate.calls <= full.calls
    assert estimate.dollars is not None
    assert full.dollars is not None
    assert 0 < estimate.dollars <= full.dollars


def test_cap_without_a_price_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cap on dollars needs the price of every model, fallbacks included, however it is set."""
    monkeypatch.chdir(tmp_path)
    Path("llm_config").mkdir()
    Path("llm_config/free.toml").write_text('name = "free"\nprovider = "openai"\nmodel_id = "f"\n')
    words = [
        "run",
        "--plan",
        "Plant trees.",
        "--run-dir",
        "out",
        "--model",
        "sim",
        "--model",
        "free",
    ]
    assert main([*words, "--max-cost", "1"]) == 2
    assert "cannot be kept for free: no price is known" in capsys.readouterr().err
    monkeypatch.setenv("PLUMBLINE_MAX_COST", "1")
    assert main(words) == 2
    assert "cannot be kept for free" in capsys.readouterr().err
    assert not Path("out").exists()


def test_dry_run_tells_and_writes_nothing(
    tmp_path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The figures come at once; no directory is made."""
    monkeypatch.chdir(tmp_path)
    assert main(["run", "--plan", "A boat.", "--model", "haiku", "--dry-run"]) == 0
    assert "about $" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []
