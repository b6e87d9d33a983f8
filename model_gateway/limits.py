"""How fast a model may be called: side by side, per minute, and one local model at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from aiolimiter import AsyncLimiter

from model_gateway.config import Model


class Turn:
    """Lets calls of one local model through at a time; another model waits until they are done.

    A machine that holds one local model in memory would otherwise load them in turn, over and
    over, when their calls come interleaved.
    """

    def __init__(self) -> None:
        self._holder: str | None = None
        self._calls = 0
        self._free = asyncio.Condition()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait until no other model has the turn, and hold it for the length of the block."""
        async with self._free:
            await self._free.wait_for(lambda: self._holder in (None, name))
            self._holder = name
            self._calls += 1
        try:
            yield
        finally:
            async with self._free:
                self._calls -= 1
                if self._calls == 0:
                    self._holder = None
                self._free.notify_all()


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
            await stack.enter_async_context(self._workers)
            if self._model.local:
                await stack.enter_async_context(self._turn.of(self._model.name))
            if self._requests is not None:
                await self._requests.acquire()
            if self._tokens is not None:
                # A single request larger than the rate could otherwise never be sent.
                await self._tokens.acquire(min(tokens, self._tokens.max_rate))
            yield


def _per_minute(rate: float | None) -> AsyncLimiter | None:
    return None if rate is None else AsyncLimiter(max(rate, 1), 60 * max(1, 1 / rate))
