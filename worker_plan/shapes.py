"""The shapes in which a step makes several calls to a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from model_gateway.call import Ask, Call, R, Reply

T = TypeVar("T")
SIDE_BY_SIDE = 8


def each(ask: Ask, calls: Sequence[Call[R]]) -> list[Reply[R]]:
    """Make independent calls concurrently; the replies are in the sequence of the calls.

    A failed call does not affect the others: its reply contains the failure.
    """
    if len(calls) < 2:
        return [ask(call) for call in calls]
    with ThreadPoolExecutor(max_workers=min(SIDE_BY_SIDE, len(calls))) as threads:
        return list(threads.map(ask, calls))


def batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the items in lists of at most `size`."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch


def until_enough(
    ask: Ask,
    next_call: Callable[[int], Call[R]],
    *,
    take: Callable[[int, Reply[R]], bool],
    most: int,
) -> list[Reply[R]]:
    """Make calls one after the other until there is enough, at most `most` of them.

    `next_call` receives the number of the call, from 1; `take` receives the number and the reply,
    and returns whether there is enough. After a failed call, the next one is made all the same.
    """
    replies: list[Reply[R]] = []
    for number in range(1, most + 1):
        replies.append(ask(next_call(number)))
        if take(number, replies[-1]):
            break
    return replies
