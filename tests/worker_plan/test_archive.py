"""The zip of a plan is what the data repo takes."""

from __future__ import annotations

import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from prompt_lab import unzip
from tests.worker_plan.conftest import names_in
from worker_plan import archive
from worker_plan.errors import PlanError


def test_zip_holds_the_plan_and_can_be_populated(finished: Path, tmp_path: Path) -> None:
    """All files but hidden ones are in it, and the data repo unpacks it."""
    packed = archive.pack(finished, tmp_path / "zips" / "boat.zip")
    visible = [name for name in names_in(finished) if not name.startswith(".")]
    assert sorted(ZipFile(packed).namelist()) == visible
    (tmp_path / "out").mkdir()
    unzip.unpack(packed, tmp_path / "out" / "boat", called="boat.zip", limits=unzip.UnzipLimits())
    assert names_in(tmp_path / "out" / "boat") == visible
    assert names_in(tmp_path / "zips") == ["boat.zip"]


def test_incomplete_plan_is_refused(finished: Path, tmp_path: Path) -> None:
    """A plan that lacks an artifact gives no zip, whatever its mark says."""
    shutil.copytree(finished, tmp_path / "boat", ignore=shutil.ignore_patterns(".gateway"))
    (tmp_path / "boat" / "002-19-scenarios.md").unlink()
    with pytest.raises(PlanError, match="is not a complete plan"):
        archive.pack(tmp_path / "boat", tmp_path / "boat.zip")
    assert not (tmp_path / "boat.zip").exists()
