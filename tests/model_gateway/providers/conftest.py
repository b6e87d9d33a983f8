"""One call through a gateway, a door and a real SDK to a server on loopback."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from model_gateway.attempt import Attempt
from model_gateway.call import Call, Reply
from model_gateway.config import Model
from model_gateway.door import Door
from model_gateway.exchange import Caller
from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal, read_attempts
from model_gateway.ledger import Spend
from tests.model_gateway.conftest import Fruit, RecordingObserver
from tests.wire import WireServer

FORMATS = ("openai", "anthropic", "ollama")
KEY = "sk-loopback-0123456789abcdef"
KEY_VARIABLE = "LOOPBACK_KEY"
GOOD = '{"name": "fig", "seeds": [1, 2]}'
CALL = Call(key="fruit", system="Name a fruit.", user="Any.", schema=Fruit, max_output_tokens=100)


def entry(provider: str, server: WireServer, **changes: Any) -> Model:
    """Return an entry for a model on `server`."""
    values: dict[str, Any] = {
        "name": f"loopback-{provider}",
        "provider": provider,
        "model_id": "m-1",
        "base_url": server.base_url,
        "key_env": KEY_VARIABLE,
        "price": {"input": 1.0, "output": 2.0},
        "max_attempts": 2,
        "attempt_seconds": 60,
        "deadline_seconds": 120,
    }
    return Model.model_validate({**values, **changes})


@dataclass(frozen=True, kw_only=True)
class AskedCall:
    """The result of one call, for the step, in the journal and in the ledger."""

    reply: Reply[Any]
    attempts: list[Attempt]
    journal: str
    spent: Spend
    seconds: float

    @property
    def row(self) -> Attempt:
        """The only attempt."""
        [row] = self.attempts
        return row


Ask = Callable[..., AskedCall]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Return a function that puts one call to a model, each with a journal of its own.

    The seconds leave out the import of the SDK.
    """
    monkeypatch.setenv(KEY_VARIABLE, KEY)

    journals = (tmp_path / f"attempts-{number}.jsonl" for number in itertools.count())

    def put(model: Model, call: Call[Any] = CALL) -> AskedCall:
        path = next(journals)

        async def scenario() -> tuple[Reply[Any], Spend, float]:
            journal = FileJournal(path)
            caller = Caller(
                cell="silo", plan="silo", repeat=0, seed=1, models=(model,), journal=journal,
                observer=RecordingObserver(),
            )  # fmt: skip
            async with Gateway(key_variables=[KEY_VARIABLE]) as gateway:
                await gateway.warm([model])
                door = await gateway.open(caller)
                began = time.monotonic()
                reply = await asyncio.to_thread(Door(door.path), call)
                seconds = time.monotonic() - began
                await gateway.close(door)
                spent = gateway.ledger.spent
            await journal.close()
            return reply, spent, seconds

        reply, spent, seconds = asyncio.run(scenario())
        return AskedCall(
            reply=reply, attempts=read_attempts(path), journal=path.read_text("utf-8"),
            spent=spent, seconds=seconds,
        )  # fmt: skip

    return put
