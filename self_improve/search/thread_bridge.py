"""Connects a synchronous package in a thread of its own to a search on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, TypeVar

from model_gateway.call import Call, R, Reply
from self_improve.errors import UsageError
from self_improve.search.trial import Case, Proposal, Scored, SearchOver, Trial

T = TypeVar("T")


class Ended(BaseException):
    """The search is over. Not an `Exception`, because packages catch these and continue."""


class Bridge:
    """Passes the calls of a thread to a trial on the event loop.

    Create it on the event loop. Once the search is over, every further call ends the thread, so
    that nothing more is spent.
    """

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self._loop = asyncio.get_running_loop()
        self._over: SearchOver | None = None
        self._closed = False

    async def run(self, work: Callable[[], None]) -> None:
        """Run `work` in a thread until it returns or the search is over.

        Raises:
            SearchOver: as the trial says.
        """
        try:
            await asyncio.to_thread(_until_ended, work)
        finally:
            self._closed = True
        if self._over is not None:
            raise self._over

    def score(self, proposals: Sequence[Proposal], cases: Sequence[Case]) -> list[Scored]:
        """Try proposals on cases, from the thread.

        Raises:
            Ended: the search is over.
        """
        return self._wait_for(lambda: self._trial.score(proposals, cases))

    def ask(self, role: str, call: Call[R]) -> Reply[R]:
        """Send a call to the proposer, from the thread.

        Raises:
            Ended: the search is over.
        """
        return self._wait_for(lambda: self._trial.ask(role, call))

    def admit(self, texts: dict[str, str], **details: Any) -> Proposal | None:
        """Admit texts, from the thread; see `Trial.admit`.

        Raises:
            Ended: the search is over.
        """

        async def admitted() -> Proposal | None:
            return self._trial.admit(texts, **details)

        return self._wait_for(admitted)

    def end(self, reason: str) -> Ended:
        """Return the exception by which the thread ends the search itself."""
        self._trial.note(reason)
        self._closed = True
        return Ended()

    def _wait_for(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._closed or self._over is not None:
            raise Ended
        try:
            return asyncio.run_coroutine_threadsafe(call(), self._loop).result()
        except SearchOver as over:
            self._over = over
            raise Ended from over
        except CancelledError as cancelled:
            raise Ended from cancelled


def _until_ended(work: Callable[[], None]) -> None:
    with suppress(Ended):
        work()


class PackageGenerator:
    """A generator that needs a package which is installed only as an extra.

    Raises:
        UsageError: the package is not installed.
    """

    name: str
    package: str

    def __init__(self) -> None:
        if find_spec(self.package) is None:
            raise UsageError(
                f"The generator {self.name} needs the package {self.package}, which is not "
                f"installed. Run: pip install 'plumbline[{self.package}]'"
            )
