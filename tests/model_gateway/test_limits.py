"""How many calls at once, how many a minute, and one local model at a time, on a jumping clock."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model_gateway.limits import Limits, PerMinute, Turn
from tests.model_gateway import virtual_time
from tests.model_gateway.conftest import a_model


@dataclass
class Seen:
    """What went through at what time, and how many were inside at once."""

    entered: list[tuple[float, str]] = field(default_factory=list)
    inside: Counter[str] = field(default_factory=Counter)
    most: Counter[str] = field(default_factory=Counter)
    together: int = 0

    def enter(self, name: str) -> None:
        """Note that a call of `name` goes out."""
        self.entered.append((virtual_time.now(), name))
        self.inside[name] += 1
        self.most[name] = max(self.most[name], self.inside[name])
        self.together = max(self.together, sum(count > 0 for count in self.inside.values()))


async def a_call(limits: Limits, name: str, seen: Seen, *, at: float, takes: float) -> None:
    """Make one call that arrives `at` a time and `takes` some."""
    await asyncio.sleep(at)
    async with limits.slot(10):
        seen.enter(name)
        try:
            await asyncio.sleep(takes)
        finally:
            seen.inside[name] -= 1


async def all_of(
    calls: Iterable[Coroutine[Any, Any, None]], killed: Iterable[float | None] = ()
) -> None:
    """Run the calls side by side, cancelling some after their seconds; none may wait for ever."""
    tasks = [asyncio.create_task(call) for call in calls]
    for task, seconds in zip(tasks, killed, strict=False):
        if seconds is not None:
            asyncio.get_running_loop().call_later(seconds, task.cancel)
    async with asyncio.timeout(100_000):
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended


TIMES = st.integers(0, 6)
CALLS = st.lists(
    st.tuples(st.sampled_from("abc"), TIMES, TIMES, st.none() | st.integers(0, 20)), max_size=15
)


@settings(deadline=None)
@given(calls=CALLS, workers=st.integers(1, 4))
def test_never_more_at_once_than_workers(calls: list[Any], workers: int) -> None:
    """Whatever arrives and whatever is cancelled, each model has at most `workers` under way."""
    seen = Seen()
    limits = {name: Limits(a_model(name=name, workers=workers), Turn()) for name in "abc"}
    virtual_time.run(
        all_of(
            (a_call(limits[name], name, seen, at=at, takes=takes) for name, at, takes, _ in calls),
            (killed for *_, killed in calls),
        )
    )
    assert max(seen.most.values(), default=0) <= workers


def test_all_workers_are_used() -> None:
    """As many calls as there are workers go out at the same moment."""
    seen = Seen()
    limits = Limits(a_model(workers=3), Turn())
    virtual_time.run(all_of(a_call(limits, "a", seen, at=0, takes=1) for _ in range(7)))
    assert [moment for moment, _ in seen.entered] == [0, 0, 0, 1, 1, 1, 2]


@settings(deadline=None)
@given(calls=CALLS)
def test_one_local_model_at_a_time(calls: list[Any]) -> None:
    """Calls of two local models never overlap, and none of them waits for ever."""
    seen = Seen()
    turn = Turn()
    limits = {name: Limits(a_model(name=name, workers=2, local=True), turn) for name in "abc"}
    virtual_time.run(
        all_of(
            (a_call(limits[name], name, seen, at=at, takes=takes) for name, at, takes, _ in calls),
            (killed for *_, killed in calls),
        )
    )
    assert seen.together <= 1
    assert len(seen.entered) >= sum(killed is None for *_, killed in calls)
    assert not any(seen.inside.values())


def test_local_model_keeps_its_turn_for_all_that_wait() -> None:
    """Interleaved calls of two local models do not make the machine load them over and over."""
    seen = Seen()
    turn = Turn()
    limits = {name: Limits(a_model(name=name, workers=1, local=True), turn) for name in "ab"}
    virtual_time.run(
        all_of(a_call(limits[name], name, seen, at=0, takes=3) for name in ["a", *"bababab"])
    )
    assert "".join(name for _, name in seen.entered) == "a" + "bbbb" + "aaa"


def test_busy_local_model_does_not_starve_another() -> None:
    """A model whose calls never stop coming passes the turn on to one that waits."""
    seen = Seen()
    turn = Turn()
    limits = {name: Limits(a_model(name=name, workers=2, local=True), turn) for name in "ab"}
    busy = [a_call(limits["a"], "a", seen, at=n, takes=1.5) for n in range(100)]
    virtual_time.run(all_of([*busy, a_call(limits["b"], "b", seen, at=2.5, takes=1)]))
    assert dict(map(reversed, seen.entered))["b"] <= 5


def test_local_models_leave_others_alone() -> None:
    """A model on a server does not wait for the turn of local ones."""
    seen = Seen()
    turn = Turn()
    here = Limits(a_model(name="here", local=True), turn)
    there = Limits(a_model(name="there"), turn)
    virtual_time.run(
        all_of(
            [
                a_call(here, "here", seen, at=0, takes=9),
                a_call(there, "there", seen, at=1, takes=9),
            ]
        )
    )
    assert seen.entered == [(0, "here"), (1, "there")]


def test_who_waits_behind_a_model_that_gave_up_goes_on_at_once() -> None:
    """Calls of the holder that let another model go first go in when that one is cancelled."""
    seen = Seen()
    turn = Turn()
    limits = {name: Limits(a_model(name=name, workers=9, local=True), turn) for name in "ab"}
    calls = [
        a_call(limits["a"], "a", seen, at=0, takes=50),
        a_call(limits["b"], "b", seen, at=1, takes=1),
        a_call(limits["a"], "a", seen, at=2, takes=1),
    ]
    virtual_time.run(all_of(calls, [None, 5, None]))
    assert seen.entered == [(0, "a"), (5, "a")]


def test_who_is_let_in_and_gives_up_at_the_same_moment_leaves_the_turn_free() -> None:
    """A call that is cancelled before it learns of its turn does not keep it."""

    async def hold(turn: Turn) -> None:
        async with turn.of("b"):
            await asyncio.Event().wait()

    async def scenario() -> None:
        turn = Turn()
        async with turn.of("a"):
            waiting = asyncio.create_task(hold(turn))
            await asyncio.sleep(1)
        waiting.cancel()
        async with asyncio.timeout(1), turn.of("c"):
            pass

    virtual_time.run(scenario())


WINDOWS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 30), st.none() | st.integers(0, 300)), max_size=25
)


@settings(deadline=None)
@given(asked=WINDOWS, rate=st.sampled_from([0.5, 1, 3, 10]))
def test_no_minute_has_more_than_the_rate(asked: list[Any], rate: float) -> None:
    """In every window of a minute at most `rate` is taken, and all is taken in the end."""
    taken: list[tuple[float, float]] = []
    most = max(rate, 1)
    window = 60 * max(1, 1 / rate)

    async def take(limit: PerMinute, at: float, amount: float) -> None:
        await asyncio.sleep(at)
        await limit.take(amount)
        taken.append((virtual_time.now(), min(amount, most)))

    async def scenario() -> None:
        limit = PerMinute(rate)
        takes = (take(limit, at, amount) for at, amount, _ in asked)
        await all_of(takes, (killed for *_, killed in asked))

    virtual_time.run(scenario())
    for start, _ in taken:
        in_window = sum(n for moment, n in taken if start <= moment < start + window - 1e-6)
        assert in_window <= most
    assert len(taken) >= sum(killed is None for *_, killed in asked)


@pytest.mark.parametrize(
    ("rate", "moments"),
    [
        (2, [0, 0, 60, 60, 120]),
        (1, [0, 60, 120, 180, 240]),
        (0.5, [0, 120, 240, 360, 480]),
        (60, [0, 0, 0, 0, 0]),
    ],
)
def test_requests_per_minute_are_kept(rate: float, moments: list[float]) -> None:
    """Calls that come all at once go out as fast as the rate allows, and no faster."""
    seen = Seen()
    limits = Limits(a_model(workers=9, requests_per_minute=rate), Turn())
    virtual_time.run(all_of(a_call(limits, "a", seen, at=0, takes=0) for _ in moments))
    assert [round(moment, 6) for moment, _ in seen.entered] == moments


def test_tokens_per_minute_are_kept() -> None:
    """The tokens of the calls of a minute stay below the rate."""
    seen = Seen()
    limits = Limits(a_model(workers=9, tokens_per_minute=25), Turn())
    virtual_time.run(all_of(a_call(limits, "a", seen, at=0, takes=0) for _ in range(5)))
    assert [round(moment, 6) for moment, _ in seen.entered] == [0, 0, 60, 60, 120]


def test_large_request_is_not_overtaken_for_ever() -> None:
    """A request that needs the whole rate, or more, is served in its order among small ones."""
    order: list[float] = []

    async def take(limit: PerMinute, at: float, amount: float) -> None:
        await asyncio.sleep(at)
        await limit.take(amount)
        order.append(amount)

    async def scenario() -> None:
        limit = PerMinute(100)
        small = [take(limit, at, 40) for at in range(0, 300, 10)]
        await all_of([*small, take(limit, 25, 5000)])

    virtual_time.run(scenario())
    assert order.index(5000) == 3
