"""Children end in time, with all that they started, and see what they are given and no more."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from model_gateway.child_process import ProcessResult, run


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
        " open('pid', 'w').write(str(os.getpid()))\n time.sleep(60)\nelse:\n time.sleep(60)"
    )
    (tmp_path / "escape.py").write_text(escape)
    began = time.monotonic()
    ended = ran(tmp_path, f"'{sys.executable}' escape.py", seconds=1.5)
    assert ended.status is None
    assert time.monotonic() - began < 8
    assert not alive(int((tmp_path / "pid").read_text()))


def test_grandchild_that_holds_the_streams_delays_nothing(tmp_path: Path) -> None:
    """What the child said is there as soon as it has ended."""
    began = time.monotonic()
    ended = ran(tmp_path, "sleep 60 & echo done")
    assert (ended.status, ended.output) == (0, "done\n")
    assert time.monotonic() - began < 5


def test_only_the_last_of_a_flood_is_kept(tmp_path: Path) -> None:
    """Memory does not grow with what untrusted code prints."""
    flood = ["sh", "-c", "yes | head -c 3000000; echo end"]
    ended = asyncio.run(
        run(flood, folder=tmp_path, environment=dict(os.environ), seconds=20.0, max_bytes=1000)
    )
    assert len(ended.output) == 1000
    assert ended.output.endswith("end\n")


def test_it_dies_with_us(tmp_path: Path) -> None:
    """After kill -9 of whoever runs it nothing goes on spending."""
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
    written = until(lambda: (tmp_path / "pid").read_text().strip())
    parent.kill()
    parent.wait()
    assert until(lambda: "gone" if not alive(int(written)) else "") == "gone"


def until(look: Callable[[], str]) -> str:
    """Return what is seen as soon as it is there."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            if seen := look():
                return seen
        time.sleep(0.02)
    return ""
