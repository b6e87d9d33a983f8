"""Kills, interrupts, rivals and bad disks: the same command finishes the work."""

from __future__ import annotations

import fcntl
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from model_gateway.exits import RESUME
from prompt_lab import dataset
from prompt_lab.command_line import main
from prompt_lab.layout import Layout
from tests.prompt_lab.conftest import PLAN, make_zip, tree
from tests.prompt_lab.server import Server, content, drip, serving
from tests.waiting import LONGEST, until

WRITES = {"os.rename", "os.mkdir", "os.remove", "os.rmdir", "subprocess.Popen"}


def _killed_at(count: int, work: Callable[[], object]) -> bool:
    """Do `work` in a process that is killed at its write number `count`; say if it came to that."""
    child = os.fork()
    if child == 0:
        try:
            left = count

            def watch(event: str, arguments: tuple[object, ...]) -> None:
                nonlocal left
                writes = event == "open" and set(str(arguments[1])) & set("wxa")
                if event in WRITES or writes:
                    left -= 1
                    if left == 0:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.addaudithook(watch)
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


def _populate(lab: Path, source: object, *more: str) -> list[str]:
    return ["populate", str(source), "--prompt-lab-dir", str(lab), *more]


def _started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "prompt_lab", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def zips(tmp_path: Path) -> Path:
    """Return a folder with a train and a verify zip."""
    make_zip(tmp_path / "zips" / "train" / "silo.zip")
    make_zip(tmp_path / "zips" / "verify" / "port.zip", {**PLAN, "port.md": "x"})
    return tmp_path / "zips"


@pytest.fixture
def server() -> Iterator[Server]:
    """Return a server on loopback."""
    with serving() as server:
        yield server


def test_populate_survives_a_kill_at_every_write(tmp_path: Path, zips: Path) -> None:
    """Wherever it is killed, nothing half-done looks done, and the same command ends the same."""
    results = []
    for count in range(1, 1000):
        lab = Layout(tmp_path / f"lab{count}")
        lab.root.mkdir()
        dataset.save(lab, dataset.Dataset())
        command = _populate(lab.root, zips)
        killed = _killed_at(count, partial(main, command))
        for split, plan in dataset.load(lab).rows():
            assert len(tree(lab.plan(split, plan.name))) == plan.files
        assert main(command) == 0
        results.append(tree(lab.root))
        if not killed:
            break
    assert len(results) > 20
    assert all(result == results[-1] for result in results)


def test_init_survives_a_kill_at_every_write(tmp_path: Path) -> None:
    """The second call completes the files and makes the commit."""
    results = []
    for count in range(1, 1000):
        root = tmp_path / f"lab{count}"
        killed = _killed_at(count, partial(main, ["init", str(root)]))
        assert main(["init", str(root)]) == 0
        results.append(tree(root))
        log = subprocess.run(
            ["git", "log", "--oneline"], cwd=root, capture_output=True, text=True, check=True
        )
        assert log.stdout.count("\n") == 1
        if not killed:
            break
    assert len(results) > 20
    assert all(result == results[-1] for result in results)


@pytest.mark.parametrize("signal_", [signal.SIGKILL, signal.SIGINT])
def test_broken_off_download_is_done_again(
    tmp_path: Path, lab: Layout, zips: Path, server: Server, signal_: signal.Signals
) -> None:
    """Kill -9 and Ctrl-C in mid-download leave nothing that counts; Ctrl-C says how to go on."""
    data = (zips / "train" / "silo.zip").read_bytes()
    server.paths["/silo.zip"] = drip(data, 0.05)
    command = _populate(lab.root, server.address, "--split", "train", "--plan", "silo")
    process = _started(*command)
    part = lab.incoming / "silo.zip"
    until(part.exists, process)
    process.send_signal(signal_)
    _, errors = process.communicate(timeout=LONGEST)
    if signal_ is signal.SIGINT:
        assert process.returncode == 130
        assert errors == f"Interrupted. {RESUME}\n"
        assert not part.exists()
    assert not list(dataset.load(lab).rows())
    server.paths["/silo.zip"] = content(data)
    assert main(command) == 0
    assert lab.archive("train", "silo").read_bytes() == data
    assert not list(lab.incoming.iterdir())


def test_two_populates_at_once_both_succeed(tmp_path: Path, lab: Layout) -> None:
    """Their plans are all there once, whichever was first."""
    noise = random.Random(1)
    for number in range(6):
        make_zip(
            tmp_path / "zips" / "train" / f"p{number}.zip",
            {**PLAN, **{f"{n}.md": noise.randbytes(2000) for n in range(40)}},
        )
    processes = [_started(*_populate(lab.root, tmp_path / "zips")) for _ in range(3)]
    outputs = [process.communicate(timeout=LONGEST)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sum(output.count(": added") for output in outputs) == 6
    assert [plan.files for _, plan in dataset.load(lab).rows()] == [43] * 6
    assert all(len(tree(lab.plan("train", f"p{n}"))) == 43 for n in range(6))


def test_second_populate_waits_and_says_so(lab: Layout, zips: Path) -> None:
    """It goes on as soon as the lock is free."""
    lab.locks.mkdir(parents=True)
    with lab.incoming_lock.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = _started(*_populate(lab.root, zips))
        assert process.stdout is not None
        assert "waiting" in process.stdout.readline()
        assert not lab.incoming.exists()
    assert ": added" in process.communicate(timeout=LONGEST)[0]


def test_place_that_cannot_be_written_is_reported(
    lab: Layout, zips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file where a directory must be stops the command with a message that names it."""
    lab.history.write_text("x")
    assert main(_populate(lab.root, zips)) == 2
    assert str(lab.history) in capsys.readouterr().err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a directory on a disk of 300 kB; its mount point can be mounted again otherwise."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(place)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("mounting a small disk needs root on Linux")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def _remount(place: Path, options: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{options}", str(place)], check=True)


def test_full_disk_is_reported_and_survived(
    tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With more room the same command ends well; until then the dataset is as it was."""
    noise = {"noise.bin": random.Random(1).randbytes(200_000)}
    source = make_zip(tmp_path / "zips" / "train" / "silo.zip", {**PLAN, **noise}).parents[1]
    lab = Layout(small_disk / "lab")
    assert main(["init", str(lab.root)]) == 0
    before = tree(lab.root)
    assert main(_populate(lab.root, source)) == 1
    assert "No space left on device" in capsys.readouterr().out
    assert tree(lab.root) == {**before, "history/.locks/incoming": b""}
    _remount(small_disk, "size=2m")
    assert main(_populate(lab.root, source)) == 0
    assert len(tree(lab.plan("train", "silo"))) == 4


def test_read_only_disk_is_reported(
    small_disk: Path, zips: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither init nor populate ends in a traceback; status works there."""
    root = small_disk / "lab"
    assert main(["init", str(root)]) == 0
    _remount(small_disk, "ro")
    assert main(_populate(root, zips)) == 2
    assert main(["init", str(small_disk / "new")]) == 2
    assert capsys.readouterr().err.count("Read-only file system") == 2
    assert main(["status", "--json", "--prompt-lab-dir", str(root)]) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == []
