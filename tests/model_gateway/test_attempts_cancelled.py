"""A call that is given up leaves what happened, and no more, in the journal and the ledger."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from model_gateway.attempt import Attempt
from model_gateway.attempts import CallOutcome, OfferedReply, ParseResult
from model_gateway.call import FailureKind
from model_gateway.exchange import Caller
from model_gateway.gateway import Gateway
from model_gateway.journal import read_attempts
from model_gateway.jsonl import Row
from model_gateway.ledger import Caps, Ledger, Spend, spent_before
from model_gateway.provider import ProviderError
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import (
    MakeCaller,
    RecordingObserver,
    Scripted,
    a_model,
    built_from,
)
from tests.model_gateway.fruit_calls import GOOD, WRONG, a_question, put_call, wants_fruit


async def never(_: OfferedReply) -> ParseResult:
    """Judge until cancelled."""
    await asyncio.Event().wait()
    raise AssertionError


async def given_up(call: asyncio.Task[CallOutcome], *, after: float) -> None:
    """Cancel a call after some seconds."""
    await asyncio.sleep(after)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


def rows(tmp_path: Path) -> list[Attempt]:
    """Return what stands in the journal."""
    return read_attempts(tmp_path / "attempts.jsonl")


@pytest.mark.parametrize("waits_for", ["worker", "minute", "money"])
def test_call_that_was_never_sent_leaves_nothing(
    make_caller: MakeCaller, tmp_path: Path, waits_for: str
) -> None:
    """Given up while it waits for its turn or for room under a cap, a call has no row or cost."""
    limits = {"worker": {"workers": 1}, "minute": {"requests_per_minute": 1}, "money": {}}
    model = a_model(**limits[waits_for], attempt_seconds=1e6, deadline_seconds=1e6)
    ledger = Ledger(Caps(calls=1) if waits_for == "money" else None)
    provider = Scripted(1000.0, GOOD)
    reserved: list[Row] = []
    heard = RecordingObserver()

    async def scenario() -> None:
        async with Gateway(build=built_from(provider), ledger=ledger) as gateway:
            await gateway.warm([model])
            first = make_caller(model, cell="first")
            second = make_caller(model, log=reserved.append, observer=heard)
            busy = asyncio.ensure_future(_put(gateway, first))
            await asyncio.sleep(1)
            await given_up(asyncio.ensure_future(_put(gateway, second)), after=5)
            assert ledger.reserved.calls == 1
            await busy

    virtual_time.run(scenario())
    assert [row.cell for row in rows(tmp_path)] == ["first"]
    assert (reserved, heard.attempts, len(provider.requests)) == ([], [], 1)
    assert ledger.spent.calls == 1


async def _put(gateway: Gateway, caller: Caller) -> CallOutcome:
    return await gateway.answer(a_question(), caller)


def test_call_cancelled_in_the_exchange_is_charged_in_full(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """The row says cancelled and knows no cost; the next session charges the same as this one."""
    ledger = Ledger()
    reserved: list[Row] = []
    caller = make_caller(log=reserved.append)

    async def scenario() -> None:
        call = asyncio.ensure_future(put_call(Scripted(1000.0), caller, ledger=ledger))
        await given_up(call, after=5)

    virtual_time.run(scenario())
    [row] = rows(tmp_path)
    assert (row.status, row.cost, row.text, row.number) == ("cancelled", None, "", 1)
    assert ledger.reserved == Spend()
    assert ledger.spent == spent_before(reserved, [row])
    assert ledger.spent.tokens > 100


def test_call_cancelled_while_the_step_judges_keeps_the_reply(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """What was paid for and read stands in the row, with its tokens and its true cost."""
    ledger = Ledger()
    reserved: list[Row] = []
    caller = make_caller(log=reserved.append)

    async def scenario() -> None:
        call = asyncio.ensure_future(put_call(Scripted(GOOD), caller, parser=never, ledger=ledger))
        await given_up(call, after=5)

    virtual_time.run(scenario())
    [row] = rows(tmp_path)
    assert (row.status, row.text, row.input_tokens, row.cost) == ("cancelled", GOOD, 10, 20e-6)
    assert ledger.spent == spent_before(reserved, [row]) == Spend(calls=1, tokens=15, dollars=20e-6)


def test_call_cancelled_in_a_pause_has_the_rows_before_it(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """Between two attempts nothing is under way that could leave a row."""
    provider = Scripted(ProviderError(FailureKind.server, "it broke", retry_after=60))

    async def scenario() -> None:
        await given_up(asyncio.ensure_future(put_call(provider, make_caller())), after=5)

    virtual_time.run(scenario())
    assert [(row.number, row.status) for row in rows(tmp_path)] == [(1, "failed")]


def test_call_cancelled_at_its_second_attempt_has_two_rows(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """The first attempt's row is as it was, and only the second is cancelled."""

    async def scenario() -> None:
        await given_up(
            asyncio.ensure_future(put_call(Scripted(WRONG, 1000.0), make_caller())), after=5
        )

    virtual_time.run(scenario())
    attempts = [(row.number, row.status, row.failure_kind) for row in rows(tmp_path)]
    assert attempts == [(1, "failed", FailureKind.schema), (2, "cancelled", None)]


@pytest.mark.parametrize("error", [KeyError("failure"), ConnectionResetError(), ValueError("kind")])
def test_step_that_breaks_while_it_judges_leaves_a_row(
    make_caller: MakeCaller, tmp_path: Path, error: Exception
) -> None:
    """A reply was paid for, so it is recorded although nobody ever said what it was worth."""

    async def breaks(_: OfferedReply) -> ParseResult:
        raise error

    with pytest.raises(type(error)):
        virtual_time.run(put_call(Scripted(GOOD), make_caller(), parser=breaks))
    [row] = rows(tmp_path)
    assert (row.status, row.text) == ("cancelled", GOOD)


@pytest.mark.parametrize("when", [0.5, 1.0])
def test_cancelled_twice_is_cancelled_once(
    make_caller: MakeCaller, tmp_path: Path, when: float
) -> None:
    """Impatience does not lose the row or leave money held."""
    ledger = Ledger()

    async def scenario() -> None:
        call = asyncio.ensure_future(put_call(Scripted(1.0), make_caller(), ledger=ledger))
        await asyncio.sleep(when)
        for _ in range(3):
            call.cancel()
            await asyncio.sleep(0)
        await asyncio.gather(call, return_exceptions=True)
        await asyncio.sleep(1)

    virtual_time.run(scenario())
    assert [row.number for row in rows(tmp_path)] == [1]
    assert ledger.reserved == Spend()


def test_cancelled_attempt_is_made_again_by_the_next_session(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """Resumed, the call has its good attempt under the same number, and both are charged."""
    reserved: list[Row] = []
    provider = Scripted(1000.0, GOOD)

    async def first() -> None:
        caller = make_caller(log=reserved.append)
        await given_up(asyncio.ensure_future(put_call(provider, caller)), after=5)

    virtual_time.run(first())
    outcome = virtual_time.run(
        put_call(provider, make_caller(log=reserved.append), parser=wants_fruit)
    )
    assert outcome.failure is None
    attempts = rows(tmp_path)
    assert [(row.number, row.status) for row in attempts] == [(1, "cancelled"), (1, "ok")]
    assert spent_before(reserved, attempts).calls == 2
