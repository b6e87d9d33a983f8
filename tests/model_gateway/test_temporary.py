"""Folders of one command: gone at its end, and swept by the next one when it was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from model_gateway import socket_folder, temporary

HOLDER = """
import sys
from model_gateway import temporary
with temporary.opened("probe") as folder:
    (folder / "deep" / "er").mkdir(parents=True)
    print(folder, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory for temporary files, also of child processes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


def held() -> tuple[subprocess.Popen[str], Path]:
    """Start a process with a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


@pytest.mark.parametrize("kind", ["plan", "sockets"])
def test_folder_of_a_killed_command_is_swept(parent: Path, kind: str) -> None:
    """Whatever the next command opens, it is removed; that of a living one stays."""
    killed, left = held()
    living, used = held()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.is_dir()
    with socket_folder.opened() if kind == "sockets" else temporary.opened(kind) as mine:
        assert not left.exists()
        assert used.is_dir()
        assert mine.is_dir()
        assert mine.stat().st_mode & 0o077 == 0
    living.communicate("\n")
    assert [path for path in parent.iterdir() if path.name.startswith("plumbline-")] == []


def test_what_is_not_ours_to_remove_stays(parent: Path) -> None:
    """Files, links, other names, and a folder that is just being made."""
    outside = parent / "mine"
    outside.mkdir()
    (parent / f"{temporary.PREFIX}link").symlink_to(outside)
    (parent / f"{temporary.PREFIX}file").write_text("no folder")
    young, old = parent / "plumbline-new-young", parent / "plumbline-new-old"
    for folder in (young, old):
        folder.mkdir()
    os.utime(old, (1, 1))
    temporary.sweep(parent)
    assert not old.exists()
    assert {path.name for path in parent.iterdir()} == {
        "mine", f"{temporary.PREFIX}link", f"{temporary.PREFIX}file", "plumbline-new-young",
    }  # fmt: skip
