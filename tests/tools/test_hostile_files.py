"""The campaigns of damaged files and hostile texts: small ones pass, and a bad reader is caught."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.hostile import files, texts
from tools.hostile.readers import Kind


def test_small_campaign_of_files_finds_nothing() -> None:
    """Of every kind one; `make hostile` does more."""
    rows = list(files.campaign(21, seed=3))
    assert sum(row.runs for row in rows) == 21
    assert [violation for row in rows for violation in row.violations] == []


def test_small_campaign_of_texts_finds_nothing() -> None:
    """Constants and descriptions of fields."""
    rows = list(texts.campaign(150, seed=3))
    assert sum(row.runs for row in rows) == 150
    assert [violation for row in rows for violation in row.violations] == []
    assert sum(row.refused for row in rows) > 0


def crash(root: Path) -> int:
    """Fail over what it reads."""
    return 1 // 0


def mute(root: Path) -> int:
    """Refuse with an empty message."""
    return 2


def odd(root: Path) -> int:
    """End with a code that says nothing."""
    return 1


def loud(root: Path) -> int:
    """Print what moves the cursor."""
    print("\x1b[2J")
    return 0


@pytest.mark.parametrize(
    ("read", "trouble"),
    [(crash, "Error at"), (mute, "names no file"), (odd, "exit code 1"), (loud, "control")],
)
def test_bad_reader_is_caught(
    read: Callable[[Path], int], trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with what it takes to repeat it."""
    monkeypatch.setattr(files, "_SUBPROCESS", 0)
    (tmp_path / "a.json").write_text('{"a": 1}')
    cases = files._cases(Kind("a", ["a.json"], read), range(1), 1, tmp_path)
    [(_, _, violation)] = cases
    assert violation is not None
    assert trouble in violation
    assert violation.startswith("a.json (")
