"""The recorded history and plans of ../shared, unpacked once per machine and never written to."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from prompt_lab import unzip

RECORDED = Path(__file__).resolve().parents[2] / "shared" / "recorded"


def history() -> Path:
    """Return the directory of the recorded runs, or skip the test where they are missing."""

    def fill(folder: Path) -> None:
        with tarfile.open(_there("history.tar.xz")) as archive:
            archive.extractall(folder, filter="data")

    return _once("history", _there("history.tar.xz"), fill) / "history"


def plans(split: str) -> Path:
    """Return the directory of a split's recorded plans, or skip the test."""

    def fill(folder: Path) -> None:
        for path in sorted(_there("baseline", split).glob("*.zip")):
            unzip.unpack(path, folder / path.stem, called=path.name, limits=unzip.UnzipLimits())

    return _once(f"plans-{split}", _there("baseline", split), fill)


def _there(*parts: str) -> Path:
    path = RECORDED.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"../shared/recorded/{'/'.join(parts)} is not beside this checkout")
    return path


def _once(name: str, source: Path, fill: Callable[[Path], None]) -> Path:
    """Return a directory that the first test process to need it fills for all of them."""
    state = source.stat()
    mark = f"{source}:{state.st_size}:{state.st_mtime_ns}:{os.getuid()}"
    digest = hashlib.sha256(mark.encode()).hexdigest()[:12]
    target = Path(tempfile.gettempdir()) / f"plumbline-{name}-{digest}"
    if target.is_dir():
        return target
    fresh = Path(tempfile.mkdtemp(prefix=f"{target.name}-", dir=target.parent))
    fill(fresh)
    try:
        fresh.rename(target)
    except OSError:
        # Another process was first.
        shutil.rmtree(fresh)
    return target
