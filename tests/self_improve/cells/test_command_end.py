"""The line to a zygote: nobody else is believed, and nonsense ends it."""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from self_improve.cells.command_end import BrokenControl, CommandEnd
from self_improve.cells.zygote_end import ZygoteEnd

EVENT = {"ended": "a", "status": 93}
asks_who = pytest.mark.skipif(
    not hasattr(socket, "SO_PASSCRED"), reason="this system does not say who wrote"
)


def from_child(work: Callable[[], object]) -> None:
    """Do `work` in a forked process."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    os.waitpid(pid, 0)


def received(write: Callable[[ZygoteEnd], object], *, count: int) -> list[dict[str, Any] | None]:
    """Return what a command receives of what `write` writes to the zygote's end."""

    async def receive() -> list[dict[str, Any] | None]:
        command = CommandEnd()
        zygote = ZygoteEnd(os.dup(command.other))
        command.handed_over()
        try:
            write(zygote)
            zygote.close()
            return [await command.receive() for _ in range(count)]
        finally:
            command.close()

    return asyncio.run(receive())


@asks_who
def test_only_the_process_that_wrote_first_is_believed() -> None:
    """Code that is imported may fork, and its children hold the line, too."""

    def write(zygote: ZygoteEnd) -> None:
        zygote.send({"sandbox": None})
        from_child(lambda: zygote.send(EVENT))
        zygote.send({"ready": 1})

    assert received(write, count=3) == [{"sandbox": None}, {"ready": 1}, None]


@pytest.mark.parametrize("line", [b"\xff\x00{\n", b"[1]\n", b"[" * 100_000 + b"\n"])
def test_what_is_no_event_ends_the_line(line: bytes) -> None:
    """A zygote that sends it cannot be trusted to report anything."""
    with pytest.raises(BrokenControl):
        received(lambda zygote: os.write(zygote.fileno(), line), count=1)


def test_a_socket_comes_with_the_first_event_and_no_other() -> None:
    """Whatever else is passed is closed."""

    async def receive() -> None:
        command = CommandEnd()
        zygote = ZygoteEnd(os.dup(command.other))
        with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as another:
            zygote.send({"sandbox": "x"}, listener=listener)
            zygote.send({"ready": 1}, listener=another)
            assert [await command.receive(), await command.receive()] == [
                {"sandbox": "x"}, {"ready": 1},
            ]  # fmt: skip
            assert command.listener is not None
            assert command.listener.getsockname() == listener.getsockname()
        zygote.close()
        command.handed_over()
        command.close()

    asyncio.run(receive())


def test_commands_arrive_in_order_however_long() -> None:
    """A command may be longer than what a socket takes at once."""

    async def send() -> list[dict[str, Any]]:
        command = CommandEnd()
        zygote = ZygoteEnd(os.dup(command.other))
        texts = ["a" * 3_000_000, "b", "c" * 100_000]
        for text in texts:
            command.send({"start": text})
        arrived: list[dict[str, Any]] = []
        while len(arrived) < len(texts):
            arrived += await asyncio.to_thread(zygote.receive) or []
        assert [one["start"] for one in arrived] == texts
        command.end()
        assert await asyncio.to_thread(zygote.receive) is None
        zygote.close()
        command.close()
        return arrived

    assert json.dumps(asyncio.run(send()))
