"""The way from a package's own thread to a search: packages are synchronous, a search is not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from importlib.util import find_spec
from typing import Any, TypeVar

from model_gateway.call import Call, R, Reply
from self_improve.errors import UsageError
from self_improve.search.trial import Case, Proposal, Scored, SearchOver, Trial

T = TypeVar("T")


class Ended(BaseException):
    """The search is over. No `Exception`, because packages catch these and go on."""


class Bridge:
    """Puts the calls of a thread to a trial, which lives on the event loop.

    Make it on the event loop. Once the search is over, every further call from the thread ends
    it, so that nothing is spent behind the end.
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
            await asyncio.to_thread(self._carried_out, work)
        finally:
            self._closed = True
        if self._over is not None:
            raise self._over

    def score(self, proposals: Sequence[Proposal], cases: Sequence[Case]) -> list[Scored]:
        """Try proposals on cases, from the thread.

        Raises:
            Ended: the search is over.
        """
        return self._awaited(lambda: self._trial.score(proposals, cases))

    def ask(self, role: str, call: Call[R]) -> Reply[R]:
        """Put a call to the proposer, from the thread.

        Raises:
            Ended: the search is over.
        """
        return self._awaited(lambda: self._trial.ask(role, call))

    def admit(self, texts: dict[str, str], **told: Any) -> Proposal | None:
        """Have texts admitted, from the thread; see `Trial.admit`.

        Raises:
            Ended: the search is over.
        """

        async def admitted() -> Proposal | None:
            return self._trial.admit(texts, **told)

        return self._awaited(admitted)

    def end(self, told: str) -> Ended:
        """Return what the thread raises to end the search by itself."""
        self._trial.note(told)
        self._closed = True
        return Ended()

    def _carried_out(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Ended:
            return

    def _awaited(self, made: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._closed or self._over is not None:
            raise Ended
        try:
            return asyncio.run_coroutine_threadsafe(made(), self._loop).result()
        except SearchOver as over:
            self._over = over
            raise Ended from over
        except CancelledError as cancelled:
            raise Ended from cancelled


def needs(package: str, generator: str) -> None:
    """Refuse to go on without a package that is installed only as an extra.

    Raises:
        UsageError: it is not installed; the message says what to type.
    """
    if find_spec(package) is None:
        raise UsageError(
            f"The generator {generator} needs the package {package}, which is not installed. "
            f"Say: pip install 'plumbline[{package}]'"
        )
