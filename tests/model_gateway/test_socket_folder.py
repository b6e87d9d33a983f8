"""Sockets have short paths, and what a killed process leaves is swept by the next one."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from model_gateway import socket_folder
from model_gateway.errors import GatewayError

HOLDER = """
import sys
from model_gateway import socket_folder
with socket_folder.opened() as folder:
    print(folder, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a fresh folder for temporary files with a short path."""
    with tempfile.TemporaryDirectory(prefix="b", dir="/tmp") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        monkeypatch.setenv("TMPDIR", name)
        yield Path(name)


def held() -> tuple[subprocess.Popen[str], Path]:
    """Start a process with a folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_folder_of_a_killed_process_is_swept(base: Path) -> None:
    """The next process removes it, and leaves that of a living one alone."""
    killed, left = held()
    living, used = held()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert left.is_dir()
    with socket_folder.opened() as folder:
        assert not left.exists()
        assert used.is_dir()
        assert folder.stat().st_mode & 0o077 == 0
    living.communicate("\n")
    assert list(base.iterdir()) == []


def test_folder_without_a_lock_is_left_while_it_is_young(base: Path) -> None:
    """Its process may be about to take the lock; an hour later it is not."""
    (base / "gw-young").mkdir()
    (base / "gw-old").mkdir()
    os.utime(base / "gw-old", (1, 1))
    (base / "gw-file").write_text("no folder")
    (base / "gw-link").symlink_to(base / "gw-young")
    with socket_folder.opened():
        assert {path.name for path in base.iterdir()} >= {"gw-young", "gw-file", "gw-link"}
        assert not (base / "gw-old").exists()


def test_long_path_of_temporary_files_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A socket's path may have 107 bytes; where TMPDIR's is longer, another folder is used."""
    long = tmp_path / ("日" * 40) / "y"
    long.mkdir(parents=True)
    monkeypatch.setattr(tempfile, "tempdir", str(long))

    async def scenario() -> bool:
        with socket_folder.opened() as folder:
            server = await asyncio.start_unix_server(lambda *_: None, folder / ("s" * 10))
            server.close()
            return folder.parent != long

    assert asyncio.run(scenario())


def test_only_long_paths_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nothing shorter can be written, the message names the variable to set."""
    long = tmp_path / ("y" * 120)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    monkeypatch.setattr(socket_folder, "_ELSEWHERE", ())
    with pytest.raises(GatewayError, match="Set TMPDIR to a shorter path"):
        socket_folder.opened().__enter__()
