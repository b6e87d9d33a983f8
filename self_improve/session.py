"""The runs of one command: found again or begun, worked off, and finished."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from model_gateway.attempt import Attempt
from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal
from model_gateway.jsonl import Appender, read_rows
from model_gateway.ledger import Ledger, Spend, spent_before
from model_gateway.usage import OVERVIEW, USAGE, overview, usage_rows
from prompt_lab import record
from prompt_lab.claim import claim
from prompt_lab.layout import Layout
from prompt_lab.record import ATTEMPTS, RESERVATIONS, SURFACES, Run
from self_improve import evidence
from self_improve.errors import UsageError
from self_improve.matrix import Arm, Job, Matrix, Tally
from self_improve.preparation import Prepared, Wanted
from self_improve.progress import Display
from self_improve.specification import RunSpecification


@dataclass(frozen=True, kw_only=True)
class RunState:
    """A run of this command: what it is, and its record if there is one already."""

    specification: RunSpecification
    run: Run | None

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.run is not None and self.run.finished

    def jobs(self) -> list[record.CellKey]:
        """Return the cells that have no row yet."""
        done = self.run.rows() if self.run is not None else {}
        specification = self.specification
        cells = [(p, r) for p in specification.inputs for r in range(specification.repeats)]
        return [cell for cell in cells if cell not in done]

    def spent(self) -> Spend:
        """Return what earlier sessions spent on this run."""
        if self.run is None:
            return Spend()
        return spent_before(read_rows(self.run.path / RESERVATIONS)[0], self.run.attempts())


def state_of(specification: RunSpecification, output: Layout, *, new: bool) -> RunState:
    """Find the run of a specification: the latest one, unless that is finished and `new` asks."""
    latest = None
    for run in record.of_specification(output, specification.digest):
        latest = run
    if latest is not None and latest.finished and new:
        latest = None
    return RunState(specification=specification, run=latest)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What came of a command."""

    tally: Tally
    runs: tuple[Run, ...]
    already: tuple[Run, ...]
    spent: Spend
    over: str | None

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """The runs of the command, those that were finished before included."""
        return (*self.already, *self.runs)


@dataclass(frozen=True, kw_only=True)
class Side:
    """The runs of one code tree and candidate: what was asked for, and what is there already.

    `must_ask` is False for steps that only assemble text: their cells need not ask a model.
    """

    wanted: Wanted
    work: Prepared
    states: Sequence[RunState]
    must_ask: bool = True


class Session:
    """The runs of one command that are not finished, while this process is their only writer."""

    def __init__(self, gateway: Gateway, display: Display) -> None:
        self._gateway = gateway
        self._display = display

    async def run(self, sides: Sequence[Side], pinged: Mapping[str, Spend]) -> Summary:
        """Run what is left of `sides`, and finish the runs in which nothing is left then.

        The cells of all sides are run in one random order, so that what changes in the meantime
        meets all alike; time limit, number of workers and order are those of the first side. The
        caller holds the claims of all runs.

        Raises:
            OSError: the data repo cannot be written.
        """
        todo = [(side, s) for side in sides for s in side.states if not s.is_finished]
        already = tuple(
            s.run for side in sides for s in side.states if s.run is not None and s.is_finished
        )
        first = sides[0].wanted
        async with AsyncExitStack() as stack:
            arms = [
                await stack.enter_async_context(_arm(side, state, pinged)) for side, state in todo
            ]
            jobs = [
                Job(arm=arm, plan=plan, repeat=repeat)
                for arm, (_, state) in zip(arms, todo, strict=True)
                for plan, repeat in state.jobs()
            ]
            self._display.begin(len(jobs))
            matrix = Matrix(
                self._gateway, self._display, seconds=first.seconds, workers=first.workers,
                seed=first.seed,
            )  # fmt: skip
            try:
                await matrix.run(jobs)
            except asyncio.CancelledError:
                for arm in arms:
                    arm.writer.event("interrupted")
                raise
            finally:
                self._display.end()
            for arm in arms:
                _finish(arm)
        return Summary(
            tally=matrix.tally,
            runs=tuple(arm.writer.run for arm in arms),
            already=already,
            spent=self._gateway.ledger.spent,
            over=self._gateway.ledger.reached,
        )


@asynccontextmanager
async def _arm(side: Side, state: RunState, pinged: Mapping[str, Spend]) -> AsyncIterator[Arm]:
    specification, output = state.specification, side.wanted.output
    if state.run is None:
        meta = specification.meta(optimizer=side.work.optimizer, workers=side.wanted.workers)
        writer = record.begin(
            output, specification.step.name, specification.digest,
            meta | {"split": side.wanted.split, "cache": side.wanted.cache is not None},
        )  # fmt: skip
    else:
        writer = record.reopen(state.run)
        writer.event("resumed")
    path = writer.run.path
    with contextlib.closing(writer), Appender(path / RESERVATIONS) as reservations:
        ping = pinged.get(specification.model.name)
        if ping is not None:
            # Nothing will match this row, so a later session counts it as spent.
            identity = {"cell": "preflight", "at": datetime.now(UTC).isoformat()}
            reservations.append(
                {"reserved": identity, "tokens": ping.tokens, "dollars": ping.dollars}
            )
        journal = FileJournal(path / ATTEMPTS, finished=writer.run.rows())
        try:
            yield Arm(
                specification=specification, writer=writer, journal=journal,
                server=side.work.server,
                over_http=side.work.host.uses_gateway_url, must_ask=side.must_ask,
                log=reservations.append,
                cache=side.wanted.cache,
                scratch=output.scratch / writer.run.meta["run_id"],
            )  # fmt: skip
        finally:
            await journal.close()


def _finish(arm: Arm) -> None:
    """Write what the record ends with, if every cell has its row."""
    writer, specification = arm.writer, arm.specification
    rows = writer.run.rows()
    state = RunState(specification=specification, run=writer.run)
    if state.jobs():
        return
    attempts = writer.run.attempts()
    sent = evidence.surfaces_as_sent(specification, evidence.sent_by(attempts))
    for name, value in ((SURFACES, sent), (OVERVIEW, overview(attempts))):
        # A session that was killed here has left what this one would write.
        if not (writer.run.path / name).exists():
            writer.write_json(name, value)
    if not (writer.run.path / USAGE).exists():
        with Appender(writer.run.path / USAGE) as usage:
            usage.append_all(usage_rows(attempts))
    failed = sum(row.get("error") is not None for row in rows.values())
    writer.event("finished")
    with contextlib.suppress(OSError):
        arm.scratch.rmdir()
    writer.finish(
        {
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "stopped": None,
            "cells": {
                "ok": len(rows) - failed,
                "failed": failed,
                "partial": sum(bool(row.get("partial")) for row in rows.values()),
                "not_run": [],
            },
            "spent": _spent(attempts),
            "evidence": evidence.judged(specification, list(rows.values()), sent),
        }
    )


def _spent(attempts: Sequence[Attempt]) -> dict[str, Any]:
    costs = [attempt.cost for attempt in attempts]
    return {
        "attempts": len(attempts),
        "input_tokens": sum(a.input_tokens or 0 for a in attempts),
        "output_tokens": sum(a.output_tokens or 0 for a in attempts),
        "cost_usd": None if None in costs else sum(c for c in costs if c is not None),
    }


@contextlib.contextmanager
def claimed(wanted: Wanted, specifications: Sequence[RunSpecification]) -> Any:
    """Hold the claims of all runs of a command, always in the same order."""
    with contextlib.ExitStack() as stack:
        for digest in sorted({s.digest for s in specifications}):
            stack.enter_context(claim(wanted.output, digest[:32]))
        yield


def ledger_for(wanted: Wanted, states: Sequence[RunState]) -> Ledger:
    """Return the ledger of a command: its caps hold over all sessions of the same runs.

    Raises:
        UsageError: a cap in dollars was set and a model has no price.
    """
    models = {m.name: m for s in states for m in s.specification.models}
    unpriced = [name for name, model in models.items() if model.price is None]
    if wanted.caps.dollars is not None and unpriced:
        raise UsageError(
            f"--max-cost cannot be kept for {', '.join(unpriced)}: no price is known. Add "
            "[price] to the model's file, or cap calls and tokens instead."
        )
    spent = Spend()
    for state in states:
        spent += state.spent()
    return Ledger(wanted.caps, spent=spent)
