"""The shapes of repeated calls: side by side, in batches, until there is enough."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from model_gateway.call import Call, Reply
from tests.waiting import LONGEST
from tests.worker_plan.conftest import FAILED, Scripted
from worker_plan.shapes import SIDE_BY_SIDE, batches, each, until_enough


class Number(BaseModel):
    """A reply."""

    number: int


def call(number: int) -> Call[Number]:
    """Return a call that knows its number."""
    return Call(key=str(number), system="", user="", schema=Number)


def values(replies: list[Reply[Number]]) -> list[int | None]:
    """Return the numbers that came, and None where nothing did."""
    return [reply.value.number if reply.value else None for reply in replies]


def test_replies_come_in_the_order_of_the_calls() -> None:
    """It does not matter which one is answered first."""

    def answer(asked: Call[Any]) -> Any:
        time.sleep(0.02 if int(asked.key) < 4 else 0)
        return {"number": int(asked.key)}

    assert values(each(Scripted(answer), [call(n) for n in range(12)])) == list(range(12))


def test_calls_stand_side_by_side() -> None:
    """As many calls as there may be are under way at the same moment."""
    together = threading.Barrier(SIDE_BY_SIDE, timeout=LONGEST)

    def answer(asked: Call[Any]) -> Any:
        together.wait()
        return {"number": int(asked.key)}

    assert None not in values(each(Scripted(answer), [call(n) for n in range(SIDE_BY_SIDE)]))


def test_one_call_needs_no_thread() -> None:
    """It is made where the step runs."""
    threads = []

    def answer(_: Call[Any]) -> Any:
        threads.append(threading.current_thread())
        return {"number": 1}

    assert values(each(Scripted(answer), [call(1)])) == [1]
    assert threads == [threading.main_thread()]
    assert each(Scripted(answer), []) == []


def test_failed_call_costs_only_itself() -> None:
    """The others keep their values, and the failure is reported in its place."""
    ask = Scripted(lambda c: FAILED if c.key == "1" else {"number": int(c.key)})
    replies = each(ask, [call(n) for n in range(3)])
    assert values(replies) == [0, None, 2]
    assert replies[1].failure == FAILED


def test_error_of_the_program_is_not_swallowed() -> None:
    """Other errors than a call's failure are raised."""

    def answer(_: Call[Any]) -> Any:
        raise KeyError("a bug")

    with pytest.raises(KeyError, match="a bug"):
        each(Scripted(answer), [call(1), call(2)])


@settings(deadline=None)
@given(st.lists(st.integers(), max_size=30), st.integers(1, 9))
def test_batches_lose_nothing(items: list[int], size: int) -> None:
    """All items are there in order; every batch but the last is full, none is empty."""
    groups = list(batches(iter(items), size))
    assert [item for batch in groups for item in batch] == items
    assert all(len(batch) == size for batch in groups[:-1])
    assert all(groups)


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 8))
def test_calls_end_when_there_is_enough(enough: int, most: int) -> None:
    """Calls are numbered from 1, made one after the other, and never more than `most`."""
    ask = Scripted(lambda c: {"number": int(c.key)})
    taken: list[int] = []

    def take(number: int, reply: Reply[Number]) -> bool:
        assert reply.value is not None
        taken.append(number)
        return reply.value.number == enough

    replies = until_enough(ask, call, take=take, most=most)
    assert taken == list(range(1, min(enough, most) + 1))
    assert values(replies) == taken


def test_failed_call_does_not_end_the_row() -> None:
    """The next call is made all the same, and the failed reply is kept in its place."""
    ask = Scripted(lambda c: FAILED if c.key == "1" else {"number": int(c.key)})
    replies = until_enough(ask, call, take=lambda number, _: number == 3, most=5)
    assert values(replies) == [None, 2, 3]
