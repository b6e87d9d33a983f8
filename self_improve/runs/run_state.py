"""How far a run is: begun or not, finished, and which of its cells are still to be run."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from model_gateway.jsonl import read_rows
from model_gateway.ledger import Spend, spent_before
from prompt_lab import record
from prompt_lab.layout import Layout
from prompt_lab.record import RESERVATIONS, Run
from self_improve.runs.open_cells import NOT_RUN, is_open
from self_improve.runs.specification import RunSpecification


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run of this command: its specification, and its record if it was begun.

    With `accepts`, cells that failed for reasons outside of the prompt do not stay open.
    """

    specification: RunSpecification
    run: Run | None
    accepts: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether the run is complete."""
        return self.run is not None and self.run.finished

    def cells(self) -> list[record.RunCell]:
        """Return all cells."""
        specification = self.specification
        return [(p, r) for p in specification.inputs for r in range(specification.repeats)]

    def jobs(self) -> list[record.RunCell]:
        """Return the cells that are still to be run: those without a row, and open ones."""
        ended = self.ended()
        return [cell for cell in self.cells() if cell not in ended]

    def ended(self) -> set[record.RunCell]:
        """Return the cells that are not run again."""
        rows = self.run.rows() if self.run is not None else {}
        return {cell for cell, row in rows.items() if self.accepts or not is_open(row)}

    def open_kinds(self) -> Counter[str]:
        """Count the cells that are still to be run, by what kept them from ending."""
        rows = self.run.rows() if self.run is not None else {}
        kinds = (rows[c].get("failure_kind") if c in rows else NOT_RUN for c in self.jobs())
        return Counter(str(kind) for kind in kinds)

    def spent(self) -> Spend:
        """Return what earlier sessions spent on this run."""
        if self.run is None:
            return Spend()
        return spent_before(read_rows(self.run.path / RESERVATIONS)[0], self.run.attempts())


def state_of(
    specification: RunSpecification, output: Layout, *, new: bool, accepts: bool = False
) -> RunState:
    """Find the latest run of a specification; with `new`, one that is finished does not count.

    A server that honours the seed repeats itself, so a new run on it gets the next seed.
    """
    while True:
        runs = list(record.of_specification(output, specification.digest))
        if not runs or not (new and runs[-1].finished):
            latest = runs[-1] if runs else None
            return RunState(specification=specification, run=latest, accepts=accepts)
        if not specification.model.sends_seed:
            return RunState(specification=specification, run=None, accepts=accepts)
        specification = replace(specification, seed=specification.seed + 1)
