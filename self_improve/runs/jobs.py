"""What a matrix works on: runs under way, their cells that are to be run, and who watches them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from model_gateway.attempt import Attempt
from model_gateway.cache import Cache
from model_gateway.journal import Journal
from model_gateway.ledger import Log
from prompt_lab.record import CellKey, RunCell, RunWriter
from self_improve.cells.fork_server import ForkServer
from self_improve.runs.specification import RunSpecification


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One run under way, an arm of an experiment: its specification, its record, and its zygote.

    `server` forks its cells, in directories below `scratch`; `journal` replays their calls, `log`
    records reservations. `over_http` gives its cells a loopback URL besides the socket. With
    `must_ask`, a cell that asks no model fails, because it has measured nothing. With `accepts`,
    cells that cannot be run now are recorded as failed.
    """

    specification: RunSpecification
    writer: RunWriter
    journal: Journal
    server: ForkServer
    scratch: Path
    over_http: bool = False
    must_ask: bool = True
    accepts: bool = False
    log: Log | None = None
    cache: Cache | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """A cell that is still to be run."""

    arm: Arm
    plan: str
    repeat: int

    @property
    def key(self) -> RunCell:
        """The cell inside its run."""
        return self.plan, self.repeat

    @property
    def cell(self) -> CellKey:
        """The cell among those of all models."""
        return self.plan, self.arm.specification.model.name, self.repeat


class Watcher(Protocol):
    """Observes the cells, for a display."""

    def started(self, job: Job) -> None:
        """A cell begins."""
        ...

    def attempted(self, job: Job, attempt: Attempt, *, replayed: bool) -> None:
        """A call of a cell was answered, or failed."""
        ...

    def ended(self, job: Job, row: Mapping[str, Any]) -> None:
        """A cell was recorded."""
        ...

    def dropped(self, job: Job, reason: str) -> None:
        """A cell was given up without a result and remains to be done."""
        ...


@dataclass(kw_only=True)
class Tally:
    """How the cells of a command ended; `dropped` ones have no result and remain to be done."""

    ok: int = 0
    failed: int = 0
    dropped: int = 0
    budget: bool = False
    rows: list[Mapping[str, Any]] = field(default_factory=list)
