"""Calls through real sockets: good, bad, cut off, replayed, and side by side."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from model_gateway import gateway as gateway_module
from model_gateway.call import Call, FailureKind, Reply
from model_gateway.config import Model
from model_gateway.door import Door, Question
from model_gateway.errors import ConfigError, DoorError
from model_gateway.exchange import Caller
from model_gateway.gateway import Gateway, OpenDoor
from model_gateway.journal import FileJournal, read_attempts
from model_gateway.ledger import Caps, Ledger, Spend
from model_gateway.provider import Answer, Provider, Request
from tests.model_gateway.conftest import (
    Fruit,
    MakeCaller,
    RecordingObserver,
    Scripted,
    a_model,
    built_from,
)
from tests.model_gateway.tiny_disk import fill, tiny_disk

GOOD = '{"name": "fig", "seeds": [1, 2]}'
CALL = Call(key="fruit", system="Name a fruit.", user="Any.", schema=Fruit, max_output_tokens=100)


async def _put(door: OpenDoor, call: Call[Fruit] = CALL) -> Reply[Fruit]:
    # A thread of its own, as a cell has a process: the loop's threads are the gateway's.
    with ThreadPoolExecutor(1) as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, Door(door.path), call)


async def _ask(gateway: Gateway, caller: Caller, call: Call[Fruit] = CALL) -> Reply[Fruit]:
    door = await gateway.open(caller)
    try:
        return await _put(door, call)
    finally:
        await gateway.close(door)


def test_good_reply_becomes_a_value_and_a_journal_row(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """A reply that fits gives the value, and stands in the journal when the step hears it."""

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            return await _ask(gateway, make_caller())

    reply = asyncio.run(scenario())
    assert reply.value == Fruit(name="fig", seeds=[1, 2])
    [row] = read_attempts(tmp_path / "attempts.jsonl")
    assert (row.status, row.input_tokens, row.cost) == ("ok", 10, 20e-6)


def test_wrong_reply_is_sent_back_and_tried_again(make_caller: MakeCaller) -> None:
    """The second request holds the first reply and what was wrong with it."""
    provider = Scripted('{"name": 3}', GOOD)

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_caller())

    reply = asyncio.run(scenario())
    assert reply.value is not None
    assert len(provider.requests) == 2
    assert [m["role"] for m in provider.requests[1].messages] == [
        "system", "user", "assistant", "user",
    ]  # fmt: skip
    assert "seeds" in provider.requests[1].messages[-1]["content"]


def test_attempts_are_bounded_over_all_kinds_of_failure(make_caller: MakeCaller) -> None:
    """Empty, wrong and missing JSON together use up one bound."""
    provider = Scripted("", "no json here", '{"name": "fig"}', GOOD)

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_caller())

    reply = asyncio.run(scenario())
    assert reply.value is None
    assert reply.failure is not None
    assert reply.failure.kind is FailureKind.schema
    assert len(provider.requests) == 3


def test_last_broken_off_reply_is_recovered_and_marked(make_caller: MakeCaller) -> None:
    """When no attempt is left, what is whole in a broken reply is kept as partial."""
    provider = Scripted('{"name": "fig", "seeds": [1, 2')

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_caller())

    reply = asyncio.run(scenario())
    assert reply.value is not None
    assert reply.partial
    assert len(provider.requests) == 3


def test_finished_attempts_are_replayed_not_repeated(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """A second gateway on the same journal sends nothing that was answered before."""
    provider = Scripted("nothing", GOOD)

    async def scenario(observer: RecordingObserver) -> Reply[Fruit]:
        journal = FileJournal(tmp_path / "attempts.jsonl")
        async with Gateway(build=built_from(provider)) as gateway:
            return await _ask(gateway, make_caller(journal=journal, observer=observer))

    first = asyncio.run(scenario(RecordingObserver()))
    heard = RecordingObserver()
    second = asyncio.run(scenario(heard))
    assert first.value == second.value
    assert len(provider.requests) == 2
    assert heard.replayed == [True, True]


def test_closing_the_door_ends_the_call_and_records_it(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """A call under way when its cell is closed is cancelled and stands in the journal as such."""

    async def scenario() -> float:
        provider = Scripted(30.0)
        async with Gateway(build=built_from(provider)) as gateway:
            door = await gateway.open(make_caller(a_model(attempt_seconds=60)))
            asking = asyncio.ensure_future(asyncio.to_thread(_quietly, Door(door.path)))
            await provider.begun.wait()
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


class Echo(Scripted):
    """Names the fruit that it is asked for, sooner or later."""

    async def send(self, request: Request) -> Answer:
        """Answer with the words of the user, the longer ones first."""
        word = request.messages[1]["content"]
        await asyncio.sleep(0.02 - len(word) / 1000)
        return Answer(text=json.dumps({"name": word, "seeds": []}), finish_reason="stop")


def test_cells_side_by_side_never_hear_each_others_replies(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """Many cells with one journal, each with several threads, get what they asked for."""
    journal = FileJournal(tmp_path / "attempts.jsonl")

    async def cell(gateway: Gateway, name: str) -> None:
        door = await gateway.open(make_caller(a_model(workers=99), cell=name, journal=journal))

        async def ask(n: int) -> None:
            call = replace(CALL, key=f"{n}", user=f"{name} {n}")
            reply = await _put(door, call)
            assert reply.value == Fruit(name=f"{name} {n}", seeds=[])

        await asyncio.gather(*map(ask, range(5)))
        await gateway.close(door)

    async def scenario() -> None:
        async with Gateway(build=built_from(Echo(""))) as gateway:
            await asyncio.gather(*(cell(gateway, "c" * n) for n in range(1, 9)))
        await journal.close()

    asyncio.run(scenario())
    rows = read_attempts(tmp_path / "attempts.jsonl")
    assert len(rows) == 40
    assert all(json.loads(row.text)["name"] == f"{row.cell} {row.key}" for row in rows)


class Rude(Scripted):
    """Breaks when it is asked for a plum."""

    async def send(self, request: Request) -> Answer:
        """Raise what no provider should."""
        if "plum" in request.messages[1]["content"]:
            raise ZeroDivisionError("plums")
        return await super().send(request)

    async def close(self) -> None:
        """Break once more."""
        raise ZeroDivisionError("the end")


def test_fault_of_a_provider_fails_only_its_call(make_caller: MakeCaller) -> None:
    """One call gets a failure that names the fault; others at the same time are answered."""

    async def scenario() -> list[Reply[Fruit]]:
        async with Gateway(build=built_from(Rude(GOOD))) as gateway:
            door = await gateway.open(make_caller())
            calls = [replace(CALL, user=user) for user in ("Any.", "A plum.", "A fig.")]
            return await asyncio.gather(*(_put(door, call) for call in calls))

    any_fruit, plum, fig = asyncio.run(scenario())
    assert any_fruit.value == fig.value == Fruit(name="fig", seeds=[1, 2])
    assert plum.failure is not None
    assert plum.failure.kind is FailureKind.configuration
    assert "ZeroDivisionError: plums" in plum.failure.message


def test_full_disk_fails_the_call_and_says_so(make_caller: MakeCaller, tmp_path: Path) -> None:
    """A reply that cannot be recorded is not given; when there is room again, calls go on."""

    async def scenario(disk: Path) -> tuple[Reply[Fruit], Reply[Fruit], Spend]:
        caller = make_caller(journal=FileJournal(disk / "attempts.jsonl"))
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            ballast = fill(disk, leave=0)
            failed = await _ask(gateway, caller)
            ballast.unlink()
            return failed, await _ask(gateway, caller), gateway.ledger.reserved

    with tiny_disk(tmp_path / "disk") as disk:
        failed, good, reserved = asyncio.run(scenario(disk))
    assert failed.failure is not None
    assert "No space left on device" in failed.failure.message
    assert good.failure is None
    assert reserved == Spend()


@pytest.mark.parametrize("error", [ConfigError("no such class"), ImportError("no such module")])
def test_provider_that_cannot_be_built_fails_only_its_own_calls(
    make_caller: MakeCaller, error: Exception
) -> None:
    """Every call to that model says why, and another model is asked as usual."""
    built: list[str] = []

    def build(model: Model) -> Provider:
        built.append(model.name)
        if model.name == "broken":
            raise error
        return Scripted(GOOD)

    async def scenario() -> list[Reply[Fruit]]:
        broken, sound = a_model(name="broken"), a_model(name="sound")
        async with Gateway(build=build) as gateway:
            await gateway.warm([broken, sound])
            return [
                await _ask(gateway, make_caller(model, cell=str(n)))
                for n, model in enumerate([broken, sound, broken])
            ]

    first, good, second = asyncio.run(scenario())
    assert good.failure is None
    assert first.failure == second.failure
    assert str(error) in str(first.failure)
    assert sorted(built) == ["broken", "sound"]


class Closing(Scripted):
    """Counts how often it is closed."""

    closed = 0

    async def close(self) -> None:
        """Count."""
        self.closed += 1


def test_provider_is_built_once_and_closed_once(make_caller: MakeCaller) -> None:
    """Calls that come at once share one provider, which is closed when the gateway ends."""
    built: list[Closing] = []

    def build(_: Model) -> Provider:
        built.append(Closing(GOOD))
        return built[-1]

    async def scenario() -> None:
        async with Gateway(build=build) as gateway:
            callers = [make_caller(cell=str(n)) for n in range(10)]
            await asyncio.gather(*(_ask(gateway, caller) for caller in callers))
            assert built[0].closed == 0

    asyncio.run(scenario())
    assert [provider.closed for provider in built] == [1]


def test_end_of_the_gateway_ends_calls_and_leaves_no_files(
    make_caller: MakeCaller, tmp_path: Path
) -> None:
    """Left in mid-call, by an error too, it cancels, records, charges and removes its sockets."""
    ledger = Ledger()

    provider = Scripted(30.0)
    asking: list[asyncio.Future[Reply[Fruit]]] = []
    folders: list[Path] = []

    async def work() -> None:
        async with Gateway(build=built_from(provider), ledger=ledger) as gateway:
            journal = FileJournal(tmp_path / "attempts.jsonl")
            doors = [await gateway.open(make_caller(journal=journal)) for _ in range(2)]
            folders.append(doors[0].path.parent)
            asking.extend(asyncio.ensure_future(_put(door)) for door in doors * 2)
            while len(provider.requests) < 4:  # noqa: ASYNC110 - threads set no event
                await asyncio.sleep(0.001)
            raise KeyError("oops")

    async def scenario() -> None:
        with pytest.raises(KeyError, match="oops"):
            await work()
        ended = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(error) for error in ended] == [DoorError] * 4

    asyncio.run(scenario())
    assert not folders[0].exists()
    rows = read_attempts(tmp_path / "attempts.jsonl")
    assert [row.status for row in rows] == ["cancelled"] * 4
    assert (ledger.spent.calls, ledger.reserved) == (4, Spend())


def test_closed_door_takes_no_calls(make_caller: MakeCaller) -> None:
    """A call after the end gets an error that there is no gateway; other doors stay open."""

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            closed = await gateway.open(make_caller())
            await gateway.close(closed)
            await gateway.close(closed)
            assert not closed.path.exists()
            with pytest.raises(DoorError, match="cannot be reached"):
                await _put(closed)
            return await _ask(gateway, make_caller())

    assert asyncio.run(scenario()).failure is None


# Python 3.11 drops a socket that it was just accepting when its server closes, with a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("steps", range(8))
def test_call_that_comes_as_its_door_closes_is_never_made_later(
    make_caller: MakeCaller, steps: int
) -> None:
    """However far a connection has come when the door closes, nothing is under way afterwards."""
    provider = Scripted(30.0)

    async def scenario() -> tuple[int, int, int]:
        async with Gateway(build=built_from(provider)) as gateway:
            await gateway.warm([a_model()])
            door = await gateway.open(make_caller())
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(door.path))
                question = {
                    "key": "fruit", "messages": [], "schema": None, "schema_name": "",
                    "max_output_tokens": 9, "judged": False,
                }  # fmt: skip
                client.sendall(json.dumps(question).encode() + b"\n")
                for _ in range(steps):
                    await asyncio.sleep(0)
                await gateway.close(door)
                asked = len(provider.requests)
                await asyncio.sleep(0.01)
                reserved = gateway.ledger.reserved.calls
                return len(provider.requests) - asked, len(door.calls), reserved

    assert asyncio.run(scenario()) == (0, 0, 0)
    gc.collect()


def test_cell_that_runs_again_in_the_same_gateway_is_replayed(make_caller: MakeCaller) -> None:
    """A new door for a cell answers from the cell's earlier replies."""
    provider = Scripted(GOOD)

    async def scenario() -> list[Reply[Fruit]]:
        async with Gateway(build=built_from(provider)) as gateway:
            caller = make_caller()
            return [await _ask(gateway, caller) for _ in range(3)]

    values = [reply.value for reply in asyncio.run(scenario())]
    assert values == [Fruit(name="fig", seeds=[1, 2])] * 3
    assert len(provider.requests) == 1


def test_ledger_that_was_exchanged_keeps_its_caps(make_caller: MakeCaller) -> None:
    """A ledger set before the first door is opened is the one that calls are charged to."""
    ledger = Ledger(Caps(calls=1))

    async def scenario() -> list[Reply[Fruit]]:
        async with Gateway(build=built_from(Scripted(GOOD))) as gateway:
            gateway.ledger = ledger
            return [await _ask(gateway, make_caller(cell=cell)) for cell in "ab"]

    good, refused = asyncio.run(scenario())
    assert good.failure is None
    assert refused.failure is not None
    assert refused.failure.kind is FailureKind.budget
    assert ledger.spent.calls == 1


def test_question_of_this_process_is_answered_as_it_comes(make_caller: MakeCaller) -> None:
    """Without a door and a parser, the text is taken as it is."""

    async def scenario() -> str:
        async with Gateway(build=built_from(Scripted("no JSON"))) as gateway:
            messages = [{"role": "user", "content": "Any."}]
            outcome = await gateway.answer(Question(key="k", messages=messages), make_caller())
            assert outcome.failure is None
            return outcome.attempt.text

    assert asyncio.run(scenario()) == "no JSON"


def test_doors_need_an_entered_gateway(make_caller: MakeCaller) -> None:
    """A gateway that nobody would close opens nothing."""
    with pytest.raises(RuntimeError, match="async context manager"):
        asyncio.run(Gateway().open(make_caller()))


def test_provider_that_never_gets_ready_is_refused(
    make_caller: MakeCaller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that waits while it is imported costs its own calls, and the command still ends."""
    monkeypatch.setattr(gateway_module, "_SECONDS_TO_BUILD", 0.05)
    monkeypatch.setattr(gateway_module, "_SECONDS_TO_CLOSE", 0.05)
    for_ever = threading.Event()

    def build(_: Model) -> Provider:
        for_ever.wait()
        raise NotImplementedError

    async def scenario() -> Reply[Fruit]:
        async with Gateway(build=build) as gateway:
            return await gateway.ask(CALL, make_caller(a_model()))

    reply = asyncio.run(scenario())
    for_ever.set()
    assert reply.failure is not None
    assert "its provider was not ready within 0.05 s" in reply.failure.message
