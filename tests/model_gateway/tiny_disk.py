"""A real disk that is soon full, for tests that run as root."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGES = 16
PAGE = 4096


@contextlib.contextmanager
def tiny_disk(path: Path) -> Iterator[Path]:
    """Mount a disk of `PAGES` pages at `path`; skip the test where that is not allowed."""
    path.mkdir()
    size = f"size={PAGES * PAGE}"
    mounting = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(path)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mounting, capture_output=True, check=False).returncode
    ):
        pytest.skip("only root may mount a disk")
    try:
        yield path
    finally:
        # Lazily: a file that a failed test left open must not keep it there.
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    """Use up the disk but for `leave` pages; return the file that can be removed to free it."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * PAGE)
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size // PAGE * PAGE - leave * PAGE)
    return ballast
