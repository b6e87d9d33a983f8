"""How messages name the next command."""

from __future__ import annotations

import importlib.util
import sys

import pytest

from model_gateway.invocation import MODULES, typed
from self_improve.command_line import COMMANDS


@pytest.mark.parametrize(
    ("started", "shown"),
    [
        ("/home/a/.venv/bin/plumbline", "plumbline lab init DIR"),
        ("C:/venv/Scripts/plumbline.exe", "plumbline lab init DIR"),
        ("/x/prompt_lab/__main__.py", "python -m prompt_lab init DIR"),
        ("run_optimization_iteration.py", "python -m prompt_lab init DIR"),
        ("", "python -m prompt_lab init DIR"),
    ],
)
def test_next_command_has_the_form_of_the_one_before(
    monkeypatch: pytest.MonkeyPatch, started: str, shown: str
) -> None:
    """Who typed `plumbline` reads `plumbline`, and who typed `python -m` reads that."""
    monkeypatch.setattr(sys, "argv", [started, "status"])
    assert typed("lab init DIR") == shown


def test_command_without_words_ends_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """No blank follows it."""
    monkeypatch.setattr(sys, "argv", ["x.py"])
    assert typed("steps") == "python -m self_improve.steps"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_script_is_also_a_module(command: str) -> None:
    """Both forms of a command exist."""
    name = MODULES[command]
    spec = importlib.util.find_spec(name)
    assert spec is not None
    if spec.submodule_search_locations is not None:
        assert importlib.util.find_spec(f"{name}.__main__") is not None
    assert COMMANDS[command].module.startswith(name)
