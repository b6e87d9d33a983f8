"""Whole runs of confined code: on hosts of both kinds, with namespaces and without."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from self_improve.host.contract import own_code
from self_improve.sandbox import choice, confinement, landlock, launch
from self_improve.sandbox.bounds import bounds_of
from tools.hostile import branches
from tools.hostile.branch_runs import HOST, STEP

pytestmark = pytest.mark.skipif(
    confinement.lacking() is not None, reason="the kernel cannot confine a process"
)
FOREIGN = own_code() / "tests" / "foreign"


@pytest.fixture
def over_http(tmp_path: Path) -> list[str]:
    """Return the words for a step that reaches its model over HTTP, and the tree it is in."""
    shutil.copytree(FOREIGN / "planning_pipeline", tmp_path / "code")
    shutil.copytree(FOREIGN / "planning_plans" / "tram", tmp_path / "tram")
    return ["--step", "potential_levers", "--plan-dir", str(tmp_path / "tram")]


@pytest.fixture
def over_the_door(tmp_path: Path) -> list[str]:
    """Return the words for a step that reaches its model through the gateway's socket."""
    package = tmp_path / "code" / "evil"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "step.py").write_text(
        STEP.format(prelude="LOOT = []", at_import="", in_cell="pass"), encoding="utf-8"
    )
    (tmp_path / "code" / "host.toml").write_text(HOST, encoding="utf-8")
    lab = branches.lab(tmp_path)
    return ["--step", "found", "--plan-dir", str(lab / "baseline" / "train" / "silo")]


def ran(tmp_path: Path, words: list[str], *, nested: bool, sandbox: str = "") -> Any:
    """Run the command, in a sandbox of its own if `nested`; return meta.json and done.json."""
    command = [
        sys.executable, "-m", "self_improve.runner", *words, "--model", "sim-strong",
        "--code", str(tmp_path / "code"), "--output-dir", str(tmp_path / "out"),
    ]  # fmt: skip
    if nested:
        # The filter of system calls lets nobody make namespaces.
        limits = bounds_of(
            tmp_path / "code", own_tree=own_code(), read=(FOREIGN,), write=(tmp_path,)
        )
        command = launch.words(limits, command)
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=own_code(),
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(tmp_path),
            choice.VARIABLE: sandbox, "DATABASE_URL": "postgres://me:secret@host/db",
        },
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    [run] = (tmp_path / "out" / "history" / "0").iterdir()
    assert not list(tmp_path.glob("plumbline-*"))
    return [json.loads((run / name).read_text()) for name in ("meta.json", "done.json")]


@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("host", ["over_http", "over_the_door"])
def test_confined_code_reaches_its_model(
    host: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    nested: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    """The cell is ok, and the record says what confined it."""
    meta, done = ran(tmp_path, request.getfixturevalue(host), nested=nested)
    assert done["cells"]["ok"] == 1
    assert meta["sandbox"].startswith(f"landlock {landlock.version()}, seccomp")
    assert not (nested and "own network" in meta["sandbox"])


def test_code_that_ran_unconfined_says_so(tmp_path: Path, over_the_door: list[str]) -> None:
    """In the record and beside the evidence."""
    meta, done = ran(tmp_path, over_the_door, nested=False, sandbox="never")
    assert meta["sandbox"] == choice.UNSAFE
    assert "without a sandbox" in " ".join(done["evidence"]["reasons"])
