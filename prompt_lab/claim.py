"""Locks that make one process the only one to do a piece of work."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prompt_lab.errors import LabError
from prompt_lab.layout import Layout

_POLL_SECONDS = 0.05


@contextmanager
def claim(layout: Layout, name: str, *, wait_seconds: float = 0.0) -> Iterator[int]:
    """Hold the lock called `name` until the block or the process ends, and yield its handle.

    A child that inherits the handle holds the lock even if this process dies.

    Raises:
        LabError: another process still holds it after `wait_seconds`; the message says which.
    """
    layout.locks.mkdir(parents=True, exist_ok=True)
    handle = os.open(layout.locks / name, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _locked(handle):
            if time.monotonic() >= deadline:
                raise LabError(
                    f"Another process{_holder(handle)} is doing this work. Wait for it; or end it "
                    "and run this command again, which resumes where that process stopped."
                )
            time.sleep(_POLL_SECONDS)
        holder = {"pid": os.getpid(), "host": socket.gethostname()}
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(holder).encode(), 0)
        yield handle
    finally:
        os.close(handle)


@contextmanager
def directory_lock(folder: Path) -> Iterator[int]:
    """Wait until no other thread or process works on `folder`, and yield the lock's handle.

    The lock is on the directory itself, so no file is left in it.
    """
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(handle: int) -> str:
    try:
        facts = json.loads(os.pread(handle, 1000, 0))
        return f" (process {facts['pid']} on {facts['host']})"
    except (ValueError, KeyError, TypeError):
        return ""
