"""The terms of rollouts."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.rollout.settings import Settings, load


def test_defaults_are_those_of_the_documentation() -> None:
    """5, 10, 20, 100 %, 30 votes, half of the plans, 7 days, +5 %, 70 %, 80 %, a day, a week."""
    defaults = Settings()
    assert defaults.stages == (5, 10, 20, 100)
    assert (defaults.marks, defaults.shown, defaults.days, defaults.gain) == (30, 0.5, 7, 0.05)
    assert (defaults.rollback_below, defaults.search_below) == (0.7, 0.8)
    assert (defaults.check_hours, defaults.search_days) == (24, 7)


def test_printed_settings_can_be_the_file(tmp_path: Path) -> None:
    """The printed settings are read as the same."""
    layout = Layout(tmp_path)
    layout.rollouts.mkdir()
    settings = Settings(stages=(1, 100), marks=5)
    (layout.rollouts / "settings.toml").write_text(settings.text())
    assert load(layout) == settings
    assert tomllib.loads(settings.text())["marks"] == 5


@pytest.mark.parametrize(
    "text", ["stages = [5, 5, 100]", "stages = [5, 50]", "stages = [100]", "votes = 3", "marks ="]
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, text: str) -> None:
    """The message names the file and how to see what it may hold."""
    layout = Layout(tmp_path)
    layout.rollouts.mkdir()
    (layout.rollouts / "settings.toml").write_text(text)
    with pytest.raises(UsageError, match=r"settings\.toml cannot be used(.|\n)*--defaults"):
        load(layout)
