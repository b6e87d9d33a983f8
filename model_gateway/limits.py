"""Limits on calls to a model: concurrent calls, rates per minute, one local model at a time."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from model_gateway.config import Model


class Turn:
    """Lets calls of one local model through at a time; the other models wait in order.

    A machine that holds one local model in memory would otherwise load the models again and again
    when their calls are interleaved. So all calls that wait for a model start together when its
    turn begins, and a later call waits behind the models that already wait.
    """

    def __init__(self) -> None:
        self._holder: str | None = None
        self._calls = 0
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait until no other model has the turn, and hold it during the block."""
        if self._holder is None or (self._holder == name and not self._waiting):
            self._holder = name
            self._calls += 1
        else:
            await self._wait(name)
        try:
            yield
        finally:
            self._release()

    async def _wait(self, name: str) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.cancelled():
                self._give_up(name, waiter)
            else:
                self._release()
            raise

    def _give_up(self, name: str, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiting.get(name, [])
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[name]
        if self._waiting and next(iter(self._waiting)) == self._holder:
            self._begin_next()

    def _release(self) -> None:
        self._calls -= 1
        if self._calls == 0:
            self._holder = None
        while self._holder is None and self._waiting:
            self._begin_next()

    def _begin_next(self) -> None:
        name = next(iter(self._waiting))
        waiters = [waiter for waiter in self._waiting.pop(name) if not waiter.done()]
        if waiters:
            self._holder = name
            self._calls += len(waiters)
        for waiter in waiters:
            waiter.set_result(None)


class PerMinute:
    """At most `rate` requests or tokens in any minute, first come, first served; None: no limit."""

    def __init__(self, rate: float | None) -> None:
        self._unlimited = rate is None
        rate = rate or math.inf
        self._most = max(rate, 1)
        self._seconds = 60 * max(1, 1 / rate)
        self._taken: deque[tuple[float, float]] = deque()
        self._first = asyncio.Lock()

    async def take(self, amount: float = 1) -> None:
        """Wait until there is room for `amount`, or for the whole rate if `amount` is larger."""
        if self._unlimited:
            return
        now = asyncio.get_running_loop().time
        async with self._first:
            await asyncio.sleep(self._until_room(amount, now()))
            self._taken.append((now(), amount))

    def _until_room(self, amount: float, now: float) -> float:
        while self._taken and self._taken[0][0] + self._seconds <= now:
            self._taken.popleft()
        room = self._most - sum(part for _, part in self._taken)
        until = now
        for moment, part in self._taken:
            if room >= amount:
                break
            room += part
            until = moment + self._seconds
        return until - now


class Limits:
    """The limits of one model."""

    def __init__(self, model: Model, turn: Turn) -> None:
        self._model = model
        self._turn = turn
        self._workers = asyncio.Semaphore(model.workers)
        self._requests = PerMinute(model.requests_per_minute)
        self._tokens = PerMinute(model.tokens_per_minute)

    @asynccontextmanager
    async def slot(self, tokens: int) -> AsyncIterator[None]:
        """Wait until a request of about `tokens` tokens may be sent, and hold its slot."""
        async with AsyncExitStack() as stack:
            if self._model.local:
                # Before a worker is taken: all calls that wait for the model share its turn.
                await stack.enter_async_context(self._turn.of(self._model.name))
            await stack.enter_async_context(self._workers)
            await self._requests.take()
            await self._tokens.take(tokens)
            yield
