"""What is given up is given up on the wire too, so that no server works for nobody."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from model_gateway.door import Door
from model_gateway.errors import DoorError
from model_gateway.exchange import Caller
from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal, read_attempts
from tests.model_gateway.conftest import RecordingObserver
from tests.model_gateway.providers.conftest import CALL, FORMATS, GOOD, entry
from tests.wire import Drip, Hang, Step, WireServer


@pytest.mark.parametrize("wire", FORMATS)
@pytest.mark.parametrize("step", [Hang(), Drip(text=GOOD)], ids=["hang", "drip"])
def test_closing_the_door_closes_the_connection(wire: str, step: Step, tmp_path: Path) -> None:
    """The server sees the end of the connection when the cell is closed in mid-call."""
    path = tmp_path / "attempts.jsonl"

    async def scenario(server: WireServer) -> bool:
        model = entry(wire, server, key_env=None, attempt_seconds=60, deadline_seconds=60)
        caller = Caller(
            cell="silo", plan="silo", repeat=0, seed=1, models=(model,),
            journal=FileJournal(path), observer=RecordingObserver(),
        )  # fmt: skip
        async with Gateway() as gateway:
            door = await gateway.open(caller)
            asking = asyncio.ensure_future(asyncio.to_thread(_quietly, Door(door.path)))
            assert await asyncio.to_thread(server.wait_requests, 1)
            await gateway.close(door)
            await asking
            return await asyncio.to_thread(server.wait_abandoned, 1)

    with WireServer(wire, step) as server:
        assert asyncio.run(scenario(server))
    [row] = read_attempts(path)
    assert row.status == "cancelled"


def _quietly(door: Door) -> None:
    with contextlib.suppress(DoorError):
        door(CALL)
