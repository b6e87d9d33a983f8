"""The gateway beside a run directory: real processes, a real SDK, a server on loopback."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from model_gateway import beside
from model_gateway.beside import door_for
from model_gateway.beside_process import serve, uses_cache
from model_gateway.call import Call, FailureKind, Source
from model_gateway.caps import of_environment as caps
from model_gateway.config import CONFIG_DIR_VARIABLE
from model_gateway.door import VARIABLE, Door
from model_gateway.errors import ConfigError, DoorError
from model_gateway.head_start import HeadStart
from model_gateway.journal import read_attempts
from model_gateway.ledger import Caps
from tests.model_gateway.conftest import Fruit
from tests.waiting import LONGEST, until
from tests.wire.script import Hang, Say
from tests.wire.server import WireServer

GOOD = '{"name": "fig", "seeds": [1, 2]}'
FRUIT = Fruit(name="fig", seeds=[1, 2])

CLIENT = """
import sys
from pathlib import Path
from model_gateway.beside import door_for
from model_gateway.call import Call
from tests.model_gateway.conftest import Fruit

run_dir, cell, key = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
with door_for(cell, ["wired"], run_dir) as door:
    print((run_dir / ".gateway/gateway.json").read_text(), flush=True)
    sys.stdin.readline()
    reply = door(Call(key=key, system="Name a fruit.", user=cell, schema=Fruit))
    print(reply.text, flush=True)
"""


def a_call(key: str = "fruit") -> Call[Fruit]:
    """Return a question."""
    return Call(key=key, system="Name a fruit.", user="Any.", schema=Fruit, max_output_tokens=100)


@pytest.fixture
def server() -> Iterator[WireServer]:
    """Return a server that always names a fig; Ollama's SDK is the fastest to import."""
    with WireServer("ollama", Say(text=GOOD)) as running:
        yield running


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[WireServer], None]:
    """Return what makes `wired` the model behind a server, in an environment of its own."""
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PLUMBLINE_CACHE", "off")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv(CONFIG_DIR_VARIABLE, str(tmp_path / "llm_config"))

    def write(server: WireServer) -> None:
        folder = tmp_path / "llm_config"
        folder.mkdir(exist_ok=True)
        (folder / "wired.toml").write_text(
            f'name = "wired"\nprovider = "ollama"\nmodel_id = "wired-1"\n'
            f'base_url = "{server.base_url}"\nlocal = true\nmax_attempts = 2\n'
            f"price = {{input = 1, output = 2}}\n"
        )

    return write


@pytest.fixture
def run_dir(
    tmp_path: Path, server: WireServer, configure: Callable[[WireServer], None]
) -> Iterator[Path]:
    """Return a run directory whose gateway, if any, ends with the test."""
    configure(server)
    path = tmp_path / "run"
    yield path
    beside.stop(path)


def _address(run_dir: Path) -> dict[str, Any]:
    address: dict[str, Any] = json.loads((run_dir / ".gateway/gateway.json").read_text())
    return address


def gateway_of(run_dir: Path) -> int:
    """Return the process id of the gateway beside `run_dir`."""
    return int(_address(run_dir)["pid"])


def control_of(run_dir: Path) -> Path:
    """Return the socket at which the gateway beside `run_dir` takes requests."""
    return Path(_address(run_dir)["control"])


def client(run_dir: Path, cell: str, key: str = "fruit") -> subprocess.Popen[str]:
    """Start a process that opens a door, waits for a line, and puts one call."""
    return subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(run_dir), cell, key],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def serving(starter: int) -> set[int]:
    """Return the process ids of the gateways, present and future ones, of a starter."""
    words = ["beside", "--starter", str(starter)]
    lines = [(p.pid, p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    return {pid for pid, line in lines if [word for word in line if word in words] == words}


def test_door_of_a_runner_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With MODEL_GATEWAY set nothing is started and nothing is written."""
    monkeypatch.setenv(VARIABLE, "/some/socket")
    with door_for("cell", ["wired"], tmp_path) as door:
        assert isinstance(door, Door)
    assert list(tmp_path.iterdir()) == []


def test_call_goes_through_and_is_recorded(run_dir: Path, server: WireServer) -> None:
    """A door gives a value; the attempt and its reservation lie beside the run."""
    with door_for("cell", ["wired"], run_dir) as door:
        assert door(a_call()).value == FRUIT
        path = door._path
    [row] = read_attempts(run_dir / ".gateway/attempts.jsonl")
    assert (row.cell, row.key, row.status) == ("cell", "fruit", "ok")
    assert "reserved" in (run_dir / ".gateway/ledger.jsonl").read_text()
    until(lambda: not path.exists())


def test_two_processes_share_one_gateway(run_dir: Path, server: WireServer) -> None:
    """Processes that start at the same moment find the same gateway, each behind its own door."""
    clients = [client(run_dir, cell) for cell in ("a", "b")]
    lines = []
    for process in clients:
        assert process.stdout is not None
        lines.append(process.stdout.readline())
    replies = [process.communicate("\n", timeout=LONGEST)[0] for process in clients]
    assert lines[0] == lines[1]
    assert [reply.strip() for reply in replies] == [GOOD, GOOD]
    rows = read_attempts(run_dir / ".gateway/attempts.jsonl")
    assert {row.cell for row in rows} == {"a", "b"}
    assert len(server.requests) == 2


def test_killed_client_closes_its_door(
    run_dir: Path, configure: Callable[[WireServer], None]
) -> None:
    """After kill -9 of a client its call is cancelled and recorded; the gateway serves others."""
    with WireServer("ollama", Hang()) as server:
        configure(server)
        process = client(run_dir, "cell")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        assert server.wait_requests(1)
        process.kill()
        assert server.wait_abandoned(1)
        process.communicate()
        rows = run_dir / ".gateway/attempts.jsonl"
        until(lambda: [r.status for r in read_attempts(rows)] == ["cancelled"])
        with door_for("other", ["wired"], run_dir):
            pass


def test_second_session_asks_nothing_again(run_dir: Path, server: WireServer) -> None:
    """A new gateway on the same directory replays earlier replies."""
    for _ in range(2):
        with door_for("cell", ["wired"], run_dir) as door:
            assert [door(a_call(key)).value for key in ("one", "two")] == [FRUIT, FRUIT]
        assert beside.stop(run_dir)
    assert len(server.requests) == 2
    assert len(read_attempts(run_dir / ".gateway/attempts.jsonl")) == 2


def test_killed_gateway_is_replaced(run_dir: Path, server: WireServer) -> None:
    """After kill -9 of the gateway the door's next call starts a new one, which resumes."""
    with door_for("cell", ["wired"], run_dir) as door:
        door(a_call())
        first = gateway_of(run_dir)
        left = [door._path.parent, control_of(run_dir).parent]
        os.kill(first, signal.SIGKILL)
        assert door(a_call()).value == FRUIT
        second = gateway_of(run_dir)
        assert second != first
        assert not any(folder.exists() for folder in left)
        os.kill(second, signal.SIGKILL)
        with pytest.raises(DoorError, match=r"started again before\. Run the same command again"):
            door(a_call("other"))
    with door_for("cell", ["wired"], run_dir) as door:
        assert door(a_call()).value == FRUIT
    assert len(server.requests) == 1


def test_gateway_killed_during_a_call_is_replaced(
    run_dir: Path, configure: Callable[[WireServer], None]
) -> None:
    """The waiting call notices and is put again; the lost one counts with its worst case."""
    with WireServer("ollama", Hang(), Say(text=GOOD)) as server:
        configure(server)
        process = client(run_dir, "cell")
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert server.wait_requests(1)
        os.kill(gateway_of(run_dir), signal.SIGKILL)
        output, _ = process.communicate(timeout=LONGEST)
        assert GOOD in output
        assert len(server.requests) == 2
    assert len((run_dir / ".gateway/ledger.jsonl").read_text().splitlines()) == 2


def test_caps_count_what_earlier_sessions_spent(
    run_dir: Path, server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cap on calls holds over all sessions on the directory; replayed calls are free."""
    monkeypatch.setenv("PLUMBLINE_MAX_CALLS", "1")
    with door_for("cell", ["wired"], run_dir) as door:
        assert door(a_call()).value == FRUIT
    beside.stop(run_dir)
    with door_for("cell", ["wired"], run_dir) as door:
        assert door(a_call()).value == FRUIT
        failure = door(a_call("other")).failure
    assert failure is not None
    assert failure.kind is FailureKind.budget
    assert len(server.requests) == 1
    rows = read_attempts(run_dir / ".gateway/attempts.jsonl")
    assert [row.source for row in rows] == [Source.network, Source.none]


def test_cache_is_on_by_default(
    run_dir: Path, server: WireServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run of the same plan gets its replies from the cache, marked as such."""
    monkeypatch.delenv("PLUMBLINE_CACHE")
    other = tmp_path / "other"
    for folder in (run_dir, other):
        with door_for("cell", ["wired"], folder) as door:
            assert door(a_call()).value == FRUIT
        beside.stop(folder)
    [row] = read_attempts(other / ".gateway/attempts.jsonl")
    assert row.source is Source.cache
    assert len(server.requests) == 1


def test_wrong_settings_are_named(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unknown model and a cap that is not a number are named in the error."""
    with pytest.raises(ConfigError, match="Did you mean wired"), door_for("c", ["wird"], run_dir):
        pass
    beside.stop(run_dir)
    monkeypatch.setenv("PLUMBLINE_MAX_COST", "much")
    with pytest.raises(ConfigError, match="PLUMBLINE_MAX_COST"), door_for("c", ["wired"], run_dir):
        pass


def test_head_start_becomes_the_gateway(
    run_dir: Path, server: WireServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It serves the doors that are opened later, under caps that were set after it was started."""
    with HeadStart(["wired"]) as process:
        monkeypatch.setenv("PLUMBLINE_MAX_CALLS", "1")
        beside.begin(run_dir, process)
    first = gateway_of(run_dir)
    with door_for("cell", ["wired"], run_dir) as door:
        assert door(a_call()).value == FRUIT
        failure = door(a_call("other")).failure
    assert failure is not None
    assert failure.kind is FailureKind.budget
    assert gateway_of(run_dir) == first


@pytest.mark.parametrize("word", ["none", "gateway", "wrong cap", "door"])
def test_head_start_that_is_of_no_use_goes_without_a_trace(
    run_dir: Path, server: WireServer, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """Let go, or where there is a gateway or a door, or where it cannot be one, it just ends."""
    before: set[int] = set()
    if word == "gateway":
        with door_for("cell", ["wired"], run_dir):
            pass
        before = {gateway_of(run_dir)}
    with HeadStart(["no such model"]) as process:
        if word == "wrong cap":
            monkeypatch.setenv("PLUMBLINE_MAX_COST", "much")
        if word == "door":
            monkeypatch.setenv(VARIABLE, "/some/socket")
        if word != "none":
            beside.begin(run_dir, process)
    until(lambda: serving(os.getpid()) == before)
    assert (run_dir / ".gateway/gateway.json").exists() == bool(before)
    if before:
        assert {gateway_of(run_dir)} == before


def test_gateway_that_cannot_start_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no files can be written, the error names the place."""
    monkeypatch.delenv(VARIABLE, raising=False)
    (tmp_path / "run").write_text("a file, not a directory")
    with (
        pytest.raises(DoorError, match="cannot be written"),
        door_for("c", ["wired"], tmp_path / "run"),
    ):
        pass


def test_stopping_where_nothing_runs_is_no_error(tmp_path: Path) -> None:
    """`stop` says whether there was a gateway."""
    assert not beside.stop(tmp_path)


def test_gateway_without_clients_ends_after_its_starter(
    tmp_path: Path, configure: Callable[[WireServer], None], server: WireServer
) -> None:
    """It stays while its starter lives, however idle, and goes when that is gone."""
    configure(server)
    (tmp_path / ".gateway").mkdir()

    async def scenario() -> list[bool]:
        starter = subprocess.Popen(["sleep", "60"])  # noqa: ASYNC220 - it returns at once
        listening = asyncio.Event()
        serving = asyncio.ensure_future(
            serve(tmp_path, starter.pid, listening.set, idle_seconds=0.2)
        )
        await asyncio.wait_for(listening.wait(), LONGEST)
        await asyncio.sleep(0.8)
        stayed = not serving.done()
        starter.kill()
        await asyncio.wait_for(serving, LONGEST)
        starter.wait()
        return [stayed, serving.done()]

    assert asyncio.run(scenario()) == [True, True]


def test_settings_from_the_environment() -> None:
    """Caps are numbers that are not negative; the cache is off only when it says off."""
    assert caps({"PLUMBLINE_MAX_CALLS": "3", "PLUMBLINE_MAX_COST": "0.5"}) == Caps(
        calls=3, dollars=0.5
    )
    with pytest.raises(ConfigError, match="PLUMBLINE_MAX_CALLS='-1'"):
        caps({"PLUMBLINE_MAX_CALLS": "-1", "PLUMBLINE_MAX_TOKENS": "1e3"})
    assert uses_cache({})
    assert not uses_cache({"PLUMBLINE_CACHE": "OFF"})
