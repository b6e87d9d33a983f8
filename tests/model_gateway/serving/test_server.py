"""A server is started once, shared, restarted once, ended when idle, and never left unowned."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from pathlib import Path

import psutil
import pytest

from model_gateway.serving.folder import Phase, ServerState
from model_gateway.serving.server import ServingError, SharedServer
from tests.model_gateway.serving.conftest import MakeServe, alive, started
from tests.waiting import stretched, until


def keeper_of(server: SharedServer) -> psutil.Process:
    """Return the process that keeps a server."""
    state = server.folder.state()
    assert state is not None
    assert state.pid is not None
    parent = psutil.Process(state.pid).parent()
    assert parent is not None
    return parent


def refused(server: SharedServer) -> ServingError:
    """Return why a server cannot be had."""
    with pytest.raises(ServingError) as caught:
        asyncio.run(server.ready())
    until(lambda: not server.folder.is_claimed())
    return caught.value


def test_two_commands_at_once_start_one_server(make_serve: MakeServe, traces: Path) -> None:
    """Both get the same port, the second one's server is the first one's."""
    plan = make_serve().plan("fake")

    async def both() -> tuple[ServerState, ServerState]:
        return await asyncio.gather(SharedServer(plan).ready(), SharedServer(plan).ready())

    one, other = asyncio.run(both())
    assert one == other
    assert [one.pid] == started(traces)
    with SharedServer(plan).in_use() as port:
        assert port == one.port


def test_it_ends_when_nobody_uses_it_and_not_before(make_serve: MakeServe, traces: Path) -> None:
    """A call of any length keeps it up; after the idle time it is gone, and is started again."""
    server = SharedServer(make_serve(idle_seconds=0.1).plan("fake"))
    asyncio.run(server.ready())
    [pid] = started(traces)
    with server.in_use():
        server.folder.touch(0.0)
        # The keeper looked, and found it in use.
        until(lambda: server.folder.last_used() > 0)
        assert alive(pid)
    until(lambda: not server.folder.is_claimed())
    assert not alive(pid)
    state = server.folder.state()
    assert state is not None
    assert state.phase is Phase.ended
    with pytest.raises(ServingError, match="down"), server.in_use():
        pass
    assert asyncio.run(server.ready()).pid == started(traces)[1]


def test_it_is_restarted_once_and_then_the_failure_is_its_own(
    make_serve: MakeServe, traces: Path
) -> None:
    """After the second death the message has the end of its log, and it is left alone a while."""
    server = SharedServer(make_serve("--says", "out of luck").plan("fake"))
    asyncio.run(server.ready())
    os.kill(started(traces)[0], signal.SIGKILL)
    until(lambda: len(started(traces)) == 2)
    again = asyncio.run(server.ready())
    assert again.starts == 2
    os.kill(started(traces)[1], signal.SIGKILL)
    until(lambda: not server.folder.is_claimed())
    error = refused(server)
    assert not error.ours
    assert "ended by signal 9 again, after one restart" in error.message
    assert "out of luck" in error.message
    assert refused(server) is error
    assert len(started(traces)) == 2


@pytest.mark.parametrize(
    ("arguments", "changes", "whose", "message"),
    [
        (("--exit", "--says", "no such flag"), {}, "ours", "code 7 before .* no such flag"),
        (("--deaf",), {"ready_seconds": 0.3}, "its own", r"answer at /v1/models within .* = 0\.3"),
        (("--takes-mb", "90"), {"memory_mb": 60}, "its own", r"more than \[serve\] memory_mb = 60"),
    ],
    ids=["exits", "deaf", "greedy"],
)  # fmt: skip
def test_what_never_serves_says_why_and_is_gone(
    arguments: tuple[str, ...],
    changes: dict[str, float],
    whose: str,
    message: str,
    make_serve: MakeServe,
    traces: Path,
) -> None:
    """The command hears the cause, and no process stays."""
    error = refused(SharedServer(make_serve(*arguments, **changes).plan("fake")))
    assert error.ours is (whose == "ours")
    assert re.search(message, error.message)
    assert not any(alive(pid) for pid in started(traces))


def test_port_in_use_is_named_or_adopted(make_serve: MakeServe, traces: Path) -> None:
    """A fixed port that another program has is an error, unless that program is the server."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        error = refused(SharedServer(make_serve(port=port).plan("fake")))
        assert error.ours
        assert f"port {port} is in use by another program" in error.message
        assert started(traces) == []
    first = SharedServer(make_serve(port=port).plan("users-own"))
    asyncio.run(first.ready())
    adopted = SharedServer(
        make_serve("--says", "not needed", port=port, adopt=True).plan("adopting")
    )
    state = asyncio.run(adopted.ready())
    assert (state.port, state.pid) == (port, None)
    assert len(started(traces)) == 1


def test_killed_keeper_takes_its_server_along(make_serve: MakeServe, traces: Path) -> None:
    """Nothing is left without an owner, and the next command starts another."""
    server = SharedServer(make_serve().plan("fake"))
    asyncio.run(server.ready())
    [pid] = started(traces)
    keeper_of(server).kill()
    until(lambda: not alive(pid))
    assert asyncio.run(server.ready()).pid == started(traces)[1]
    keeper_of(server).terminate()
    until(lambda: not alive(started(traces)[1]))


def test_servers_of_two_caches_leave_each_other_alone(
    make_serve: MakeServe, tmp_path: Path
) -> None:
    """A second server with the same command, such as that of a test, does not end the first."""
    plan = make_serve().plan("fake")
    one, other = (SharedServer(plan, below=tmp_path / name) for name in ("one", "other"))
    first, second = asyncio.run(one.ready()), asyncio.run(other.ready())
    assert alive(first.pid)
    assert alive(second.pid)
    assert asyncio.run(one.ready()) == first


def test_keys_do_not_reach_it(
    make_serve: MakeServe, traces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sees harmless variables, those that its entry names, and what its entry sets."""
    for name in ("OPENROUTER_API_KEY", "HF_TOKEN", "MY_MODELS", "ANYTHING", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "a value")
    monkeypatch.setenv("HF_ENDPOINT", "https://me:secret@example.org")
    serve = make_serve(environment=["MY_MODELS"], variables={"FAKE_HOST": "127.0.0.1:{port}"})
    state = asyncio.run(SharedServer(serve.plan("fake")).ready())
    seen = json.loads((traces / "environment.json").read_text())
    assert seen["FAKE_HOST"] == f"127.0.0.1:{state.port}"
    assert seen["MY_MODELS"] == seen["CUDA_VISIBLE_DEVICES"] == "a value"
    assert seen["PATH"] == os.environ["PATH"]
    assert not {"OPENROUTER_API_KEY", "HF_TOKEN", "HF_ENDPOINT", "ANYTHING"} & seen.keys()
    by_name = make_serve(environment=["HF_TOKEN"]).plan("fake").environment
    assert by_name["HF_TOKEN"] == "a value"


def test_longest_wait_is_bounded(make_serve: MakeServe, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim that nobody answers for does not hold a command for ever."""
    server = SharedServer(make_serve(ready_seconds=0.05).plan("fake"))
    monkeypatch.setattr("model_gateway.serving.server._SECONDS_TO_END", stretched(0.1))
    claim = server.folder.claim()
    assert claim is not None
    with pytest.raises(ServingError, match="not ready in time"):
        asyncio.run(server.ready())
    os.close(claim)
