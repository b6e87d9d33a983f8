"""Starting and ending zygotes: neither a hang nor a death keeps the command waiting."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from self_improve.cells.cell import CellRequest
from self_improve.cells.fork_server import ForkServer, seconds_to_load
from self_improve.errors import ImproveError, UsageError
from self_improve.sandbox import confinement
from tests.waiting import until

CONFINED = [
    False,
    pytest.param(True, marks=pytest.mark.skipif(confinement.lacking() is not None, reason="old")),
]
STEP = """
import os, sys, subprocess, time
import luigi
class Find(luigi.Task):
    run_dir = luigi.Parameter()
    model = luigi.Parameter()
    def output(self): return luigi.LocalTarget(self.run_dir + "/found.txt")
    def run(self): time.sleep(600)
"""


def written(folder: Path, source: str) -> Path:
    """Write a host with one step, and return its host file."""
    code = folder / "code"
    code.mkdir()
    (code / "hostcode.py").write_text(source)
    file = code / "host.toml"
    file.write_text(
        'import_roots = ["hostcode"]\ntasks = ["hostcode:Find"]\nrun_dir = "run_dir"\n'
        'model = "model"\nspeeds = ["x"]\n'
    )
    return file


@asynccontextmanager
async def started(
    file: Path, *, confined: bool, seconds: float = 60.0
) -> AsyncIterator[ForkServer]:
    """Start a zygote, and end it."""
    with tempfile.TemporaryFile() as errors:
        server = await ForkServer.start(
            code=file.parent, host_file=file, speed="x", environment=dict(os.environ),
            errors=errors, confined=confined, seconds=seconds,
        )  # fmt: skip
        yield server
        await server.close()


async def start_only(file: Path, *, confined: bool, seconds: float) -> None:
    """Start a zygote and end it."""
    async with started(file, confined=confined, seconds=seconds):
        pass


def request(server: ForkServer, folder: Path) -> CellRequest:
    """Return the request of a cell that sleeps."""
    place = (server.room or folder) / "cell"
    for name in ("plan", "home"):
        (place / name).mkdir(parents=True)
    return CellRequest(
        id="a/b.0", step="find", route=server.pipeline.steps["find"].route, model="m", speed="x",
        seed=1, folder=str(place), door="",
    )  # fmt: skip


@pytest.mark.parametrize("confined", CONFINED)
def test_code_that_hangs_while_it_is_imported_is_named(tmp_path: Path, confined: bool) -> None:  # noqa: FBT001
    """The message names the limit and how to change it."""
    file = written(tmp_path, "while True: pass")
    with pytest.raises(ImproveError, match=r"within 1 s.*PLUMBLINE_LOAD_SECONDS"):
        asyncio.run(start_only(file, confined=confined, seconds=1.0))


def test_a_zygote_that_is_killed_while_it_loads_says_what_to_type(tmp_path: Path) -> None:
    """The message has the signal, and the next command."""
    file = written(tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(ImproveError, match=r"ended with status -9\. Run the same command again"):
        asyncio.run(start_only(file, confined=False, seconds=60.0))


@pytest.mark.parametrize("confined", CONFINED)
def test_a_zygote_that_dies_ends_what_waits_for_it(tmp_path: Path, confined: bool) -> None:  # noqa: FBT001
    """A cell that runs, and one that is asked for later, fail with an error at once."""
    file = written(tmp_path, STEP)

    async def run() -> None:
        async with started(file, confined=confined) as server:
            waiting = asyncio.create_task(server.run(request(server, tmp_path)))
            await asyncio.sleep(0)
            for child in psutil.Process().children():
                # A child of an earlier test may have ended and not been waited for.
                with contextlib.suppress(psutil.NoSuchProcess):
                    if str(file.parent) in child.cmdline():
                        child.send_signal(signal.SIGKILL)
            with pytest.raises(ImproveError, match="zygote ended"):
                await waiting
            with pytest.raises(ImproveError, match="zygote ended"):
                await server.run(request_again(server, tmp_path))

    asyncio.run(run())


def request_again(server: ForkServer, folder: Path) -> CellRequest:
    """Return a request that is never begun."""
    return CellRequest(
        id="c", step="find", route=(), model="m", speed="x", seed=1, folder=str(folder), door=""
    )


@pytest.mark.parametrize("confined", CONFINED)
def test_daemons_of_an_import_hold_nothing_up_and_are_gone(tmp_path: Path, confined: bool) -> None:  # noqa: FBT001
    """They hold the zygote's end of the line; neither loading nor closing waits for them."""
    mark = f"daemon-of-{tmp_path.name}-{os.getpid()}"
    daemon = (
        f"\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', {mark!r}],"
        " start_new_session=True, close_fds=False, env={})\n"
    )
    file = written(tmp_path, STEP + daemon)
    asyncio.run(start_only(file, confined=confined, seconds=60.0))
    until(lambda: not _with(mark))


def _with(mark: str) -> list[int]:
    return [p.pid for p in psutil.process_iter(["cmdline"]) if mark in (p.info["cmdline"] or ())]


@pytest.mark.parametrize("confined", CONFINED)
def test_nothing_outlives_a_killed_command(tmp_path: Path, confined: bool) -> None:  # noqa: FBT001
    """After kill -9 of the command its zygote and all that waits for it are gone."""
    command = (
        "import asyncio, sys\nfrom pathlib import Path\n"
        "from tests.self_improve.cells.test_fork_server import started\n"
        "async def main():\n"
        f"    async with started(Path(sys.argv[1]), confined={confined}):\n"
        "        print('started', flush=True)\n        await asyncio.sleep(600)\n"
        "asyncio.run(main())\n"
    )
    file = written(tmp_path, STEP)
    process = subprocess.Popen(
        [sys.executable, "-c", command, str(file)], stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    family = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    assert family
    process.kill()
    process.communicate()
    until(lambda: not any(psutil.pid_exists(pid) for pid in family))


def test_how_long_loading_may_take_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a number of seconds is one."""
    monkeypatch.setenv("PLUMBLINE_LOAD_SECONDS", "3")
    assert seconds_to_load() == 3
    for wrong in ("soon", "-1", "nan", "inf"):
        monkeypatch.setenv("PLUMBLINE_LOAD_SECONDS", wrong)
        with pytest.raises(UsageError, match="PLUMBLINE_LOAD_SECONDS"):
            seconds_to_load()
