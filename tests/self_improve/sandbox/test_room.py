"""The room of confined code: gone afterwards, whatever was left in it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from self_improve.sandbox import room


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_whatever_is_left_is_removed_and_no_link_followed(parent: Path) -> None:
    """Deep folders, closed ones, pipes and links go; what links lead to stays."""
    outside = parent / "mine.txt"
    outside.write_text("mine")
    with room.opened() as path:
        here = os.open(path, os.O_RDONLY)
        for _ in range(1500):
            os.mkdir("deep", dir_fd=here)
            inner = os.open("deep", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = inner
        os.close(here)
        (path / "shut").mkdir(0)
        os.mkfifo(path / "pipe")
        (path / "link").symlink_to(outside)
        (path / "folder").symlink_to(parent)
    assert list(parent.iterdir()) == [outside]
    assert outside.read_text() == "mine"


def test_rooms_of_killed_commands_are_swept_and_others_stay(parent: Path) -> None:
    """A room that nobody holds is removed by the next command."""
    old = parent / "plumbline-work-room-old"
    (old / room.HOME).mkdir(parents=True)
    with room.opened() as first, room.opened() as second:
        assert not old.exists()
        assert first.is_dir()
        assert second.is_dir()
    assert list(parent.iterdir()) == []
