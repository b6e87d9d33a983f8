"""Calls over connections that are passed instead of made."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from model_gateway.door import Door, Question
from model_gateway.errors import DoorError
from model_gateway.passed_connections import PassedConnections

QUESTION = Question(key="a", messages=[{"role": "user", "content": "x"}])


def test_a_connection_reaches_the_door_of_its_token() -> None:
    """Another token reaches nobody, and anything but a connection is closed."""

    async def pass_them() -> list[str]:
        reached: list[str] = []
        passed = PassedConnections()
        sender = os.dup(passed.other)
        passed.handed_over()

        def adopt(name: str, connection: socket.socket) -> None:
            reached.append(name)
            connection.close()

        first = passed.offer(lambda one: adopt("first", one))
        second = passed.offer(lambda one: adopt("second", one))
        channel = first.split(":")[1]
        with socket.socket(fileno=sender) as other, socket.socket() as file:
            token = second.rpartition(":")[2].encode()
            socket.send_fds(other, [token], [file.fileno()])
            socket.send_fds(other, [b"guessed"], [other.fileno()])
            for address in (first, second, first[:-1]):
                door = Door(Path(address.replace(f":{channel}:", f":{other.fileno()}:")))
                with pytest.raises(DoorError):
                    await asyncio.to_thread(door.exchange, QUESTION)
            passed.withdraw(second)
            with pytest.raises(DoorError):
                await asyncio.to_thread(
                    Door(Path(second.replace(f":{channel}:", f":{other.fileno()}:"))).exchange,
                    QUESTION,
                )
        passed.close()
        return reached

    assert asyncio.run(pass_them()) == ["first", "second"]


def test_a_channel_that_is_gone_is_named() -> None:
    """A process that was started without it says that the gateway cannot be reached."""
    with pytest.raises(DoorError, match="channel"):
        Door(Path("passed:9999:token")).exchange(QUESTION)
