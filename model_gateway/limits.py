"""How fast a model may be called: side by side, per minute, and one local model at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from model_gateway.config import Model


class Turn:
    """Lets calls of one local model through at a time; the other models wait in order.

    A machine that holds one local model in memory would otherwise load them in turn, over and
    over, when their calls come interleaved. So all calls that wait for a model are let in
    together when its turn begins, and who comes later waits behind the models that wait already.
    """

    def __init__(self) -> None:
        self._holder: str | None = None
        self._calls = 0
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait until no other model has the turn, and hold it for the length of the block."""
        if self._holder is None or (self._holder == name and not self._waiting):
            self._holder = name
            self._calls += 1
        else:
            await self._let_in(name)
        try:
            yield
        finally:
            self._release()

    async def _let_in(self, name: str) -> None:
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(place)
        try:
            await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._give_up(name, place)
            else:
                self._release()
            raise

    def _give_up(self, name: str, place: asyncio.Future[None]) -> None:
        places = self._waiting.get(name, [])
        if place in places:
            places.remove(place)
            if not places:
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
        places = [place for place in self._waiting.pop(name) if not place.done()]
        if places:
            self._holder = name
            self._calls += len(places)
        for place in places:
            place.set_result(None)


class PerMinute:
    """At most `rate` requests or tokens in any minute; the first to come is served first."""

    def __init__(self, rate: float) -> None:
        self._most = max(rate, 1)
        self._seconds = 60 * max(1, 1 / rate)
        self._taken: deque[tuple[float, float]] = deque()
        self._first = asyncio.Lock()

    async def take(self, amount: float = 1) -> None:
        """Wait until there is room for `amount`; one larger than the rate waits for all of it."""
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
        self._requests = _per_minute(model.requests_per_minute)
        self._tokens = _per_minute(model.tokens_per_minute)

    @asynccontextmanager
    async def slot(self, tokens: int) -> AsyncIterator[None]:
        """Wait until a request of about `tokens` tokens may be sent; hold its place until done."""
        async with AsyncExitStack() as stack:
            if self._model.local:
                # Before a worker is taken: all that wait for the model share its turn.
                await stack.enter_async_context(self._turn.of(self._model.name))
            await stack.enter_async_context(self._workers)
            if self._requests is not None:
                await self._requests.take()
            if self._tokens is not None:
                await self._tokens.take(tokens)
            yield


def _per_minute(rate: float | None) -> PerMinute | None:
    return None if rate is None else PerMinute(rate)
