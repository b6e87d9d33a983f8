"""Calls outside of steps: kept, replayed and paid like all others."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from pydantic import BaseModel

from model_gateway import entry_files
from model_gateway.call import Call, FailureKind, Reply
from model_gateway.counsel import ATTEMPTS, Counsel, spent_in
from model_gateway.gateway import Gateway
from model_gateway.ledger import Caps, Ledger


class Answer(BaseModel):
    """A reply."""

    remark: str


def call(key: str) -> Call[Answer]:
    """Return a question."""
    return Call(
        key=key, system="Say something.", user="<plan>\nA canal boat.\n</plan>", schema=Answer
    )


def asked(folder: Path, keys: list[str], ledger: Ledger) -> list[Reply[Answer]]:
    """Put calls in a session of its own."""

    async def session() -> list[Reply[Answer]]:
        async with Gateway(ledger=ledger) as gateway, Counsel(gateway, folder) as counsel:
            return await counsel.ask_all(
                "critic", entry_files.load().find("sim"), [*map(call, keys)]
            )

    return asyncio.run(session())


def test_finished_call_is_answered_from_the_journal(tmp_path: Path) -> None:
    """A second session asks only what the first did not, and hears the same again."""
    first = asked(tmp_path, ["a"], Ledger())
    ledger = Ledger(spent=spent_in(tmp_path))
    second = asked(tmp_path, ["a", "b"], ledger)
    assert first[0].value is not None
    assert second[0].value == first[0].value
    keys = [json.loads(line)["key"] for line in (tmp_path / ATTEMPTS).read_text().splitlines()]
    assert keys == ["a", "b"]
    assert ledger.spent.calls == 2


def test_cap_holds_over_sessions(tmp_path: Path) -> None:
    """What an earlier session spent leaves no room for more; the refusal is a value."""
    asked(tmp_path, ["a"], Ledger(Caps(calls=1)))
    [reply] = asked(tmp_path, ["b"], Ledger(Caps(calls=1), spent=spent_in(tmp_path)))
    assert reply.value is None
    assert reply.failure is not None
    assert reply.failure.kind is FailureKind.budget
