"""Entries whose server is a program of the tests, in a cache of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from model_gateway.serving.keeper import MARK
from model_gateway.serving.settings import Serve
from tests.waiting import stretched

FAKE = Path(__file__).with_name("fake_server.py")

MakeServe = Callable[..., Serve]


def alive(pid: int | None) -> bool:
    """Whether a process runs."""
    try:
        return pid is not None and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return where the fake server leaves its traces; whatever is left of it is ended."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "traces"
    folder.mkdir()
    yield folder
    for process in psutil.process_iter(["cmdline", "environ"]):
        words = " ".join(process.info["cmdline"] or ())
        if str(tmp_path) in words and (
            "keeper" in words or MARK in (process.info["environ"] or ())
        ):
            process.kill()


@pytest.fixture
def make_serve(traces: Path) -> MakeServe:
    """Return a maker of `[serve]` for the fake server with some arguments."""

    def make(*arguments: str, **changes: Any) -> Serve:
        words = [
            "{python}",
            "-S",
            str(FAKE),
            "--port",
            "{port}",
            "--traces",
            str(traces),
            *arguments,
        ]
        values: dict[str, Any] = {"command": words, "ready_seconds": stretched(30.0)}
        return Serve.model_validate({**values, **changes})

    return make


def started(traces: Path) -> list[int]:
    """Return the process ids of all fake servers that were started, in their order."""
    path = traces / "pids"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []
