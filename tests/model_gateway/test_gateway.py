"""A call through a real socket: good, bad, cut off, and replayed."""

from __future__ import annotations

import asyncio
from pathlib import Path

from model_gateway.call import Call, FailureKind, Reply
from model_gateway.door import Door
from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal, read_attempts
from tests.model_gateway.conftest import Fruit, Heard, MakeAsker, Scripted, a_model, built_from

GOOD = '{"name": "fig", "seeds": [1, 2]}'
CALL = Call(key="fruit", system="Name a fruit.", user="Any.", schema=Fruit, max_output_tokens=100)


async def _ask(gateway: Gateway, asker, call=CALL) -> Reply[Fruit]:
    door = await gateway.open(asker)
    try:
        return await asyncio.to_thread(Door(door.path), call)
    finally:
        await gateway.close(door)


def test_good_reply_becomes_a_value_and_a_journal_row(
    make_asker: MakeAsker, tmp_path: Path
) -> None:
    """A reply that fits gives the value, and stands in the journal when the step hears it."""

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            return await _ask(gateway, make_asker())

    reply = asyncio.run(scenario())
    assert reply.value == Fruit(name="fig", seeds=[1, 2])
    [row] = read_attempts(tmp_path / "attempts.jsonl")
    assert (row.status, row.input_tokens, row.cost) == ("ok", 10, 20e-6)


def test_wrong_reply_is_told_back_and_tried_again(make_asker: MakeAsker) -> None:
    """The second request holds the first reply and what was wrong with it."""
    provider = Scripted('{"name": 3}', GOOD)

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_asker())

    reply = asyncio.run(scenario())
    assert reply.value is not None
    assert len(provider.requests) == 2
    assert [m["role"] for m in provider.requests[1].messages] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
    assert "seeds" in provider.requests[1].messages[-1]["content"]


def test_attempts_are_bounded_over_all_kinds_of_failure(make_asker: MakeAsker) -> None:
    """Empty, wrong and missing JSON together use up one bound."""
    provider = Scripted("", "no json here", '{"name": "fig"}', GOOD)

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_asker())

    reply = asyncio.run(scenario())
    assert reply.value is None
    assert reply.failure is not None
    assert reply.failure.kind is FailureKind.schema
    assert len(provider.requests) == 3


def test_last_broken_off_reply_is_recovered_and_marked(make_asker: MakeAsker) -> None:
    """When no attempt is left, what is whole in a broken reply is kept as partial."""
    provider = Scripted('{"name": "fig", "seeds": [1, 2')

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_asker())

    reply = asyncio.run(scenario())
    assert reply.value is not None
    assert reply.partial
    assert len(provider.requests) == 3


def test_finished_attempts_are_replayed_not_repeated(make_asker: MakeAsker, tmp_path: Path) -> None:
    """A second gateway on the same journal sends nothing that was answered before."""
    provider = Scripted("nothing", GOOD)

    async def scenario(observer: Heard) -> Reply[Fruit]:
        journal = FileJournal(tmp_path / "attempts.jsonl")
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_asker(journal=journal, observer=observer))

    first = asyncio.run(scenario(Heard()))
    heard = Heard()
    second = asyncio.run(scenario(heard))
    assert first.value == second.value
    assert len(provider.requests) == 2
    assert heard.replayed == [True, True]


def test_closing_the_door_ends_the_call_and_records_it(
    make_asker: MakeAsker, tmp_path: Path
) -> None:
    """A call under way when its cell is closed is cancelled and stands in the journal as such."""

    async def scenario() -> float:
        async with Gateway(build=built_from(Scripted(30.0))) as gateway:
            door = await gateway.open(make_asker(a_model(attempt_seconds=60)))
            asking = asyncio.ensure_future(asyncio.to_thread(_quietly, Door(door.path)))
            await asyncio.sleep(0.2)
            await gateway.close(door)
            await asking
            return gateway.ledger.spent.dollars

    spent = asyncio.run(scenario())
    [row] = read_attempts(tmp_path / "attempts.jsonl")
    assert row.status == "cancelled"
    assert spent > 0


def _quietly(door: Door) -> None:
    try:
        door(CALL)
    except Exception:  # noqa: BLE001 - the door was closed on purpose
        return
