"""The lock of a run: one writer, named to others, gone with its process."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from prompt_lab.claim import claim
from prompt_lab.errors import LabError
from prompt_lab.layout import Layout

HOLD = """
import sys
from pathlib import Path
from prompt_lab.claim import claim
from prompt_lab.layout import Layout

with claim(Layout(Path(sys.argv[1])), "run"):
    print("held", flush=True)
    sys.stdin.readline()
"""


def holder(lab: Layout) -> subprocess.Popen[str]:
    """Return a process that holds the lock."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lab.root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT, None])
def test_second_process_is_refused_until_the_first_ends(
    lab: Layout, end: signal.Signals | None
) -> None:
    """The refusal names the holder; however that one ends, the lock is free at once."""
    process = holder(lab)
    with pytest.raises(LabError) as caught, claim(lab, "run"):
        pass
    assert f"(process {process.pid} on {socket.gethostname()})" in str(caught.value)
    assert "resumes where that process stopped" in str(caught.value)
    if end is not None:
        process.send_signal(end)
    process.communicate("\n" if end is None else None)
    with claim(lab, "run"):
        pass


def test_one_process_cannot_claim_twice(lab: Layout) -> None:
    """Two commands inside one process are two writers, too."""
    with (
        claim(lab, "run"),
        pytest.raises(LabError, match=f"process {os.getpid()}"),
        claim(lab, "run"),
    ):
        pass


def test_other_runs_are_free(lab: Layout) -> None:
    """A lock is held by name."""
    with claim(lab, "one"), claim(lab, "two"):
        assert {p.name for p in lab.locks.iterdir()} == {"one", "two"}


def test_error_inside_frees_the_lock(lab: Layout) -> None:
    """The block may end in any way."""
    with pytest.raises(KeyError), claim(lab, "run"):
        raise KeyError
    with claim(lab, "run"):
        pass


def test_shorter_holder_overwrites_a_longer_one(lab: Layout) -> None:
    """What an earlier holder wrote does not mix with what this one writes."""
    lab.locks.mkdir(parents=True)
    (lab.locks / "run").write_text("x" * 500)
    with claim(lab, "run"):
        holder = json.loads((lab.locks / "run").read_text())
    assert holder == {"pid": os.getpid(), "host": socket.gethostname()}


@pytest.mark.parametrize("written", ["", "{", "[]", '{"pid": 1}', "\udcff"])
def test_holder_that_has_not_said_its_name_is_refused_all_the_same(
    lab: Layout, written: str
) -> None:
    """The message does without the name."""
    with claim(lab, "run"):
        (lab.locks / "run").write_bytes(written.encode("utf-8", "surrogateescape"))
        with (
            pytest.raises(LabError, match=r"^Another process is doing this work"),
            claim(lab, "run"),
        ):
            pass
