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
def tiny_disk(place: Path) -> Iterator[Path]:
    """Mount a disk of `PAGES` pages at `place`; skip the test where that is not allowed."""
    place.mkdir()
    size = f"size={PAGES * PAGE}"
    mounting = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(place)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mounting, capture_output=True, check=False).returncode
    ):
        pytest.skip("only root may mount a disk")
    try:
        yield place
    finally:
        # Lazily: a file that a failed test left open must not keep it there.
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, *, leave: int) -> Path:
    """Use up the disk but for `leave` pages; return the file that can be removed to free it."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(b"x" * PAGE)
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size // PAGE * PAGE - leave * PAGE)
    return ballast
