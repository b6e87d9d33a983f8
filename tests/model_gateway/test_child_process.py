"""Children end in time, with all that they started, and see what they are given and no more."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from model_gateway.child_process import ProcessResult, run
from tests.waiting import stretched, until


def ran(folder: Path, script: str, *, seconds: float = 20.0, input_text: str = "") -> ProcessResult:
    """Run a shell script."""
    environment = {"PATH": os.environ["PATH"]}
    return asyncio.run(
        run(["sh", "-c", script], folder=folder, environment=environment, seconds=seconds,
            input_text=input_text)
    )  # fmt: skip


def alive(pid: int) -> bool:
    """Whether a process runs."""
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_it_hears_and_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both streams and the status come back, and our own environment is not seen."""
    monkeypatch.setenv("SOME_API_KEY", "secret")
    ended = ran(tmp_path, 'cat; pwd; echo "x$SOME_API_KEY" >&2; exit 4', input_text="hello\n")
    assert (ended.status, ended.error_output) == (4, "x\n")
    assert ended.output.splitlines() == ["hello", str(tmp_path.resolve())]


def test_it_is_killed_at_its_limit_with_what_left_its_session(tmp_path: Path) -> None:
    """A grandchild that is in no session of ours any more is found and ended, too."""
    escape = (
        "import os, sys, time\nif os.fork() == 0:\n os.setsid()\n"
        " open('pid', 'w').write(str(os.getpid()))\n time.sleep(600)\nelse:\n time.sleep(600)"
    )
    (tmp_path / "escape.py").write_text(escape)
    ended = ran(tmp_path, f"'{sys.executable}' escape.py", seconds=stretched(1.5))
    assert ended.status is None
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_grandchild_that_holds_the_streams_delays_nothing(tmp_path: Path) -> None:
    """What the child said is there as soon as it has ended."""
    began = time.monotonic()
    ended = ran(tmp_path, "sleep 60 & echo done")
    assert (ended.status, ended.output) == (0, "done\n")
    assert time.monotonic() - began < 60


def test_only_the_last_of_a_flood_is_kept(tmp_path: Path) -> None:
    """Memory does not grow with what untrusted code prints."""
    flood = ["sh", "-c", "yes | head -c 3000000; echo end"]
    ended = asyncio.run(
        run(flood, folder=tmp_path, environment=dict(os.environ), seconds=20.0, max_bytes=1000)
    )
    assert len(ended.output) == 1000
    assert ended.output.endswith("end\n")


def test_it_dies_with_us(tmp_path: Path) -> None:
    """After kill -9 of its parent nothing goes on spending."""
    if sys.platform != "linux":
        pytest.skip("Only Linux can promise it.")
    code = (
        "import asyncio, os, pathlib\nfrom model_gateway.child_process import run\n"
        "asyncio.run(run(['sh', '-c', 'echo $$ > pid; exec sleep 60'], folder=pathlib.Path('.'),"
        " environment=dict(os.environ), seconds=60))"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment)
    written = tmp_path / "pid"
    until(lambda: written.exists() and written.read_text().strip(), parent)
    parent.kill()
    parent.wait()
    until(lambda: not alive(int(written.read_text())))
