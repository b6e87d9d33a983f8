"""Caps hold at every moment and over all sessions, whatever comes in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_gateway.call import FailureKind, Source
from model_gateway.errors import BudgetReached, ConfigError
from model_gateway.jsonl import Row
from model_gateway.ledger import Caps, Ledger, Spend, refuse_unpriced, spent_before
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import a_model
from tests.model_gateway.rows import an_attempt

# Quarters of a dollar have no errors of rounding.
AMOUNTS = st.tuples(st.integers(0, 40), st.integers(0, 40))
ATTEMPTS = st.lists(
    st.fixed_dictionaries(
        {
            "worst": AMOUNTS,
            "share": st.none() | st.sampled_from([0, 0.25, 0.5, 1]),
            "arrives": st.integers(0, 5),
            "takes": st.integers(0, 5),
            "killed_after": st.none() | st.integers(0, 8),
        }
    ),
    max_size=12,
)
LIMIT = st.none() | st.integers(0, 100)


def quarters(tokens: float, dollars: float) -> Spend:
    """Return the spend of one call."""
    return Spend(calls=1, tokens=int(tokens), dollars=int(dollars) / 4)


@settings(deadline=None, max_examples=200)
@given(attempts=ATTEMPTS, calls=LIMIT, tokens=LIMIT, dollars=LIMIT, before=AMOUNTS)
def test_no_interleaving_exceeds_a_cap(
    attempts: list[dict[str, Any]], calls: int | None, tokens: int | None, dollars: int | None,
    before: tuple[int, int],
) -> None:  # fmt: skip
    """Spent and held stay below every cap, nobody waits for ever, and nothing stays held."""
    spent = quarters(*before)
    caps = Caps(calls=calls, tokens=tokens, dollars=None if dollars is None else dollars / 4)
    ledger = Ledger(caps, spent=spent)
    within = caps.exceeded_by(spent) is None
    charged = [spent]

    def check() -> None:
        if within:
            assert caps.exceeded_by(ledger.spent + ledger.reserved) is None

    async def attempt(plan: dict[str, Any]) -> None:
        await asyncio.sleep(plan["arrives"])
        worst = quarters(*plan["worst"])
        try:
            reservation = await ledger.reserve(worst)
        except BudgetReached:
            alone = caps.exceeded_by(ledger.spent + worst)
            assert alone is not None or ledger.reserved.calls == 0
            return
        check()
        share = plan["share"]
        try:
            await asyncio.sleep(plan["takes"])
        except asyncio.CancelledError:
            share = None
        actual = None if share is None else quarters(*(share * n for n in plan["worst"]))
        charged.append(worst if actual is None else actual)
        await asyncio.shield(ledger.settle(reservation, actual))
        check()

    async def scenario() -> None:
        tasks = [asyncio.create_task(attempt(plan)) for plan in attempts]
        for task, plan in zip(tasks, attempts, strict=True):
            if plan["killed_after"] is not None:
                asyncio.get_running_loop().call_later(plan["killed_after"], task.cancel)
        async with asyncio.timeout(1000):
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    virtual_time.run(scenario())
    assert ledger.reserved == Spend()
    assert ledger.spent == sum(charged, Spend())


def test_waits_for_attempts_under_way_that_could_free_room() -> None:
    """An attempt whose worst case does not fit now is sent when another cost less."""

    async def scenario() -> list[float]:
        ledger = Ledger(Caps(tokens=100))
        went: list[float] = []

        async def attempt(seconds: float) -> None:
            reservation = await ledger.reserve(Spend(calls=1, tokens=60))
            went.append(virtual_time.now())
            await asyncio.sleep(seconds)
            await ledger.settle(reservation, Spend(calls=1, tokens=20))

        await asyncio.gather(attempt(5), attempt(5), attempt(5))
        return went

    assert virtual_time.run(scenario()) == [0, 5, 10]


def test_waiting_ends_in_an_error_when_the_room_was_used_up() -> None:
    """An attempt that waited in vain is refused at the moment the other one settles."""

    async def scenario() -> tuple[float, str | None]:
        ledger = Ledger(Caps(tokens=100))
        reservation = await ledger.reserve(Spend(calls=1, tokens=60))
        asyncio.get_running_loop().call_later(
            3, lambda: asyncio.ensure_future(ledger.settle(reservation, None))
        )
        with pytest.raises(BudgetReached, match="the cap of 100 tokens leaves no room"):
            await ledger.reserve(Spend(calls=1, tokens=50))
        return virtual_time.now(), ledger.reached

    assert virtual_time.run(scenario()) == (3, "the cap of 100 tokens was reached")


def test_refused_at_once_when_waiting_cannot_help() -> None:
    """What does not even fit beside what is spent is refused, and the cap that says so is named."""

    async def scenario() -> None:
        ledger = Ledger(Caps(calls=1, dollars=1), spent=Spend(dollars=0.5))
        await ledger.reserve(Spend(calls=1))
        with pytest.raises(BudgetReached, match=r"the cap of 1 US dollars .* raise the cap"):
            await ledger.reserve(Spend(calls=1, dollars=0.75))

    virtual_time.run(scenario())


def test_unknown_spend_is_charged_in_full() -> None:
    """An attempt of unknown cost is charged its worst case."""

    async def scenario() -> Spend:
        ledger = Ledger()
        worst = Spend(calls=1, tokens=70, dollars=0.5)
        await ledger.settle(await ledger.reserve(worst), None)
        return ledger.spent

    assert asyncio.run(scenario()) == Spend(calls=1, tokens=70, dollars=0.5)


def test_what_was_really_spent_counts_even_above_the_worst_case() -> None:
    """A server that bills more than could be foreseen is believed."""

    async def scenario() -> Spend:
        ledger = Ledger(Caps(tokens=10))
        await ledger.settle(await ledger.reserve(Spend(calls=1, tokens=10)), Spend(tokens=99))
        with pytest.raises(BudgetReached):
            await ledger.reserve(Spend(calls=1))
        return ledger.spent

    assert asyncio.run(scenario()).tokens == 99


def test_rounding_leaves_nothing_held() -> None:
    """Fractions of a dollar that do not add up exactly are gone when nothing is under way."""

    async def scenario() -> Spend:
        ledger = Ledger()
        reservations = [await ledger.reserve(Spend(calls=1, dollars=d)) for d in (0.1, 0.7, 0.2)]
        for reservation in reservations:
            await ledger.settle(reservation, Spend(calls=1))
        return ledger.reserved

    assert asyncio.run(scenario()) == Spend()


def test_reservation_is_logged_with_its_identity() -> None:
    """Before an attempt is sent its worst case stands in the log, under its name."""

    async def scenario() -> list[Row]:
        rows: list[Row] = []
        await Ledger().reserve(Spend(calls=1, tokens=7, dollars=0.5), log=rows.append, key="a")
        return rows

    row = {"reserved": {"key": "a"}, "tokens": 7, "dollars": 0.5}
    assert asyncio.run(scenario()) == [row]


def test_reservation_that_cannot_be_logged_holds_nothing() -> None:
    """With a full disk the attempt is not sent, and those who wait for room are not kept."""

    def full(_: Row) -> None:
        raise OSError(28, "No space left on device")

    async def scenario() -> Spend:
        ledger = Ledger(Caps(calls=1))
        with pytest.raises(OSError, match="No space"):
            await ledger.reserve(Spend(calls=1), log=full)
        async with asyncio.timeout(5):
            await ledger.reserve(Spend(calls=1))
        return ledger.reserved

    assert asyncio.run(scenario()) == Spend(calls=1)


def test_refused_attempt_is_not_logged() -> None:
    """What was never sent leaves no reservation that a later session would charge."""
    rows: list[Row] = []
    with pytest.raises(BudgetReached):
        asyncio.run(Ledger(Caps(calls=0)).reserve(Spend(calls=1), log=rows.append))
    assert rows == []


def reserved(times: int = 1, **changes: Any) -> list[Row]:
    """Return the rows of reservations whose attempt is `an_attempt()`, but for `changes`."""
    identity = {"cell": "silo", "key": "fruit", "repeat": 0, "number": 1, "model": "scripted"}
    return [{"reserved": identity | changes, "tokens": 100, "dollars": 2.0}] * times


KNOWN = Spend(calls=1, tokens=15, dollars=0.25)
WORST = Spend(calls=1, tokens=100, dollars=2.0)
UNKNOWN: dict[str, Any] = {"input_tokens": None, "output_tokens": None, "cost": None}
NOT_BILLED: dict[str, Any] = {**UNKNOWN, "cost": 0.0, "status": "failed"}
MISSING_KEY = an_attempt(**NOT_BILLED, failure_kind=FailureKind.configuration, seconds=0.0)
WRONG_KEY = an_attempt(**NOT_BILLED, failure_kind=FailureKind.configuration)
NO_BUDGET = an_attempt(**NOT_BILLED, failure_kind=FailureKind.budget, seconds=0.0)
CACHED = an_attempt(cost=0.0, source=Source.cache, seconds=0.0)


def sessions() -> Iterator[Any]:
    """Yield what sessions left behind, and what they are to be charged."""
    yield pytest.param([], [], Spend(), id="nothing")
    yield pytest.param(reserved(), [an_attempt()], KNOWN, id="matched")
    yield pytest.param(reserved(), [], WORST, id="killed before it was recorded")
    yield pytest.param([], [an_attempt()], Spend(), id="never reserved")
    yield pytest.param(reserved(number=2), [an_attempt()], WORST, id="another attempt's")
    yield pytest.param(
        reserved(), [an_attempt(**UNKNOWN, status="cancelled")], WORST, id="cancelled"
    )
    yield pytest.param(
        reserved(), [an_attempt(status="cancelled")], KNOWN, id="cancelled when parsed"
    )
    yield pytest.param(
        reserved(), [an_attempt(**{**NOT_BILLED, "cost": None})], WORST, id="timed out"
    )
    yield pytest.param(reserved(), [an_attempt(cost=None)], KNOWN + Spend(dollars=-0.25), id="free")
    yield pytest.param(reserved(), [WRONG_KEY], Spend(calls=1), id="refused unbilled")
    yield pytest.param(
        reserved(2), [an_attempt(**UNKNOWN, status="cancelled"), an_attempt()], WORST + KNOWN,
        id="cancelled, then repeated",
    )  # fmt: skip
    yield pytest.param(reserved(2), [an_attempt()], WORST + KNOWN, id="killed, then repeated")
    for name, unsent in [("budget", NO_BUDGET), ("key", MISSING_KEY), ("cache", CACHED)]:
        yield pytest.param(reserved(), [unsent], WORST, id=f"{name} row does not match")
        yield pytest.param(reserved(), [unsent, an_attempt()], KNOWN, id=f"{name} row comes first")


@pytest.mark.parametrize(("reservations", "attempts", "charged"), list(sessions()))
def test_earlier_sessions_are_charged(
    reservations: list[Row], attempts: list[Any], charged: Spend
) -> None:
    """Each reservation counts with its own attempt's cost, or in full if that is unknown."""
    assert spent_before(reservations, attempts) == charged


def settled(ledger: Ledger, worst: Spend, actual: Spend, model: str = "m") -> None:
    """Reserve and settle one call."""

    async def scenario() -> None:
        await ledger.settle(await ledger.reserve(worst, model=model), actual)

    virtual_time.run(scenario())


@pytest.mark.parametrize(
    ("caps", "actual", "words"),
    [
        (Caps(tokens=1_000), Spend(calls=1, tokens=101), "101 tokens for a call that may have 100"),
        (Caps(dollars=9), Spend(calls=1, tokens=1, dollars=0.6), "0.6000 dollars for a call that"),
    ],
)
def test_server_that_bills_more_than_reserved_is_stopped(
    caps: Caps, actual: Spend, words: str
) -> None:
    """Under a cap it gets no further call, and is named; other models go on."""
    ledger = Ledger(caps)
    settled(ledger, Spend(calls=1, tokens=100, dollars=0.5), actual)
    with pytest.raises(BudgetReached, match=f"m was stopped, because its server billed {words}"):
        settled(ledger, Spend(calls=1), Spend(calls=1))
    assert ledger.reached is not None
    assert "m was stopped" in ledger.reached
    assert ledger.reason == ledger.reached
    settled(ledger, Spend(calls=1), Spend(calls=1), model="other")
    assert ledger.spent == actual + Spend(calls=1)


@pytest.mark.parametrize("caps", [Caps(), Caps(calls=9)])
def test_without_a_cap_that_depends_on_it_nobody_is_stopped(caps: Caps) -> None:
    """Chat templates add tokens; where nothing is promised that is not a reason to stop."""
    ledger = Ledger(caps)
    settled(ledger, Spend(calls=1, tokens=100, dollars=0.5), Spend(calls=1, tokens=900, dollars=2))
    settled(ledger, Spend(calls=1), Spend(calls=1))
    assert ledger.stopped == {}


def test_cap_on_dollars_refuses_a_call_without_a_price() -> None:
    """Even where a command forgot to check that, nothing is sent at an unknown price."""

    async def scenario() -> None:
        await Ledger(Caps(calls=9)).reserve(Spend(calls=1), model="m", priced=False)
        with pytest.raises(BudgetReached, match="cannot be kept for m, which has no price"):
            await Ledger(Caps(dollars=9)).reserve(Spend(calls=1), model="m", priced=False)

    virtual_time.run(scenario())


def test_models_without_a_price_are_named_together() -> None:
    """A cap in dollars needs every price; other caps need none."""
    models = [a_model(name="a", price=None), a_model(name="b"), a_model(name="c", price=None)]
    with pytest.raises(ConfigError, match="cannot be kept for a, c: no price is known"):
        refuse_unpriced(Caps(dollars=1), models)
    refuse_unpriced(Caps(dollars=1), [models[1]])
    refuse_unpriced(Caps(calls=1, tokens=1), models)


def test_logged_ends_replace_their_reservations() -> None:
    """A ping is in no list of attempts, so its end stands beside its reservation."""
    one, two = {"cell": "ping", "at": "1"}, {"cell": "ping", "at": "2"}
    rows: list[Row] = [
        {"reserved": one, "tokens": 90, "dollars": 0.5},
        {"settled": one, "tokens": 3, "dollars": 0.25},
        {"reserved": two, "tokens": 90, "dollars": 0.5},
    ]
    assert spent_before(rows, []) == Spend(calls=2, tokens=93, dollars=0.75)


@pytest.mark.parametrize(
    "row",
    [
        {}, {"reserved": {}}, {"reserved": {}, "tokens": "x", "dollars": 1}, {"tokens": 1},
        {"reserved": {}, "tokens": 1, "dollars": float("nan")}, {"other": 1},
        {"reserved": {}, "tokens": -5, "dollars": 0}, {"reserved": {}, "tokens": [], "dollars": 0},
        {"reserved": {}, "tokens": float("inf"), "dollars": 0},
    ],
    ids=str,
)  # fmt: skip
def test_damaged_rows_cost_nothing_and_end_nothing(row: Row) -> None:
    """What nobody of ours wrote is passed over."""
    assert spent_before([row], []) == Spend()
