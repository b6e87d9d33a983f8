"""Calls to models outside of any step: proposers, critics, judges; journaled, on one ledger."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Self

from model_gateway.call import Call, R, Reply
from model_gateway.config import Model
from model_gateway.exchange import Caller, NoObserver, Observer
from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal, read_attempts
from model_gateway.jsonl import Appender, read_rows
from model_gateway.ledger import Spend, spent_before
from model_gateway.program_journal import ProgramJournal, spent_on_programs

ATTEMPTS, RESERVATIONS, PROGRAMS = "attempts.jsonl", "reservations.jsonl", "programs.jsonl"
_PLAN = "counsel"


class Counsel:
    """Puts calls to models and keeps them in `folder`, so that a killed command repeats no call.

    An async context manager. A call with the same role, key, repeat and texts as an earlier one is
    answered from the journal. The cost goes to the gateway's ledger.
    """

    def __init__(
        self, gateway: Gateway, folder: Path, *, seed: int = 0, observer: Observer | None = None
    ) -> None:
        self._gateway = gateway
        self._folder = folder
        self._seed = seed
        self._observer = observer or NoObserver()
        self.programs = ProgramJournal(folder / PROGRAMS)

    async def __aenter__(self) -> Self:
        """Open the journal.

        Raises:
            OSError: the folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._journal = FileJournal(self._folder / ATTEMPTS)
        self._reservations = Appender(self._folder / RESERVATIONS)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the journal after writing what is queued."""
        self._reservations.close()
        await self._journal.close()

    async def ask(self, role: str, model: Model, call: Call[R], *, repeat: int = 0) -> Reply[R]:
        """Put one call to `model`; a failure is part of the reply."""
        caller = Caller(
            cell=role,
            plan=_PLAN,
            repeat=repeat,
            seed=self._seed,
            models=(model,),
            journal=self._journal,
            observer=self._observer,
            log=self._reservations.append,
        )
        return self._redacted(await self._gateway.ask(call, caller))

    def _redacted(self, reply: Reply[R]) -> Reply[R]:
        """Return a reply without keys, also one that an older version recorded with a key."""
        redact = self._gateway.redact
        value = reply.value
        if value is not None:
            said = value.model_dump(mode="json", by_alias=True)
            clean = redact.value(said)
            value = value if clean == said else type(value).model_validate(clean)
        return replace(reply, value=value, text=redact(reply.text), model=redact(reply.model))

    async def ask_all(self, role: str, model: Model, calls: list[Call[R]]) -> list[Reply[R]]:
        """Put calls concurrently; the replies are in the order of the calls."""
        return list(await asyncio.gather(*(self.ask(role, model, call) for call in calls)))


def spent_in(folder: Path) -> Spend:
    """Return what earlier sessions spent on the calls and programs in `folder`."""
    calls = spent_before(read_rows(folder / RESERVATIONS)[0], read_attempts(folder / ATTEMPTS))
    return calls + spent_on_programs(folder / PROGRAMS)
