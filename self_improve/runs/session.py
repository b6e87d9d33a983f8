"""The runs of one command: resumed or begun, worked off, and finished."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from model_gateway.gateway import Gateway
from model_gateway.journal import FileJournal
from model_gateway.jsonl import Appender
from model_gateway.ledger import Ledger, Spend, refuse_unpriced
from model_gateway.ping_journal import PingJournal
from prompt_lab import record
from prompt_lab.claim import claim
from prompt_lab.record import ATTEMPTS, ESTIMATED, RESERVATIONS, CellKey, Run
from self_improve.runs.evidence import finish, sent_so_far
from self_improve.runs.jobs import Arm, Job, Tally
from self_improve.runs.matrix import Matrix
from self_improve.runs.open_cells import OpenCells, is_open
from self_improve.runs.pings import ping_journal
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.run_state import RunState
from self_improve.runs.specification import RunSpecification
from self_improve.runs.stopping import LookResult, StoppingRule


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The outcome of a command; `cap_reached` names the cap that ended it, if one did.

    `open_cells` are those that the world kept from ending; what a cap left is not among them.
    """

    tally: Tally
    runs: tuple[Run, ...]
    finished_before: tuple[Run, ...]
    spent: Spend
    cap_reached: str | None
    open_cells: OpenCells

    @property
    def all_runs(self) -> tuple[Run, ...]:
        """The runs of the command, including those that were finished before."""
        return (*self.finished_before, *self.runs)

    @property
    def stopped(self) -> str | None:
        """The cap that left cells undone, or None."""
        return self.cap_reached if self.tally.budget else None


@dataclass(frozen=True, kw_only=True)
class RunsOfOneTree:
    """The runs of one code tree and candidate: the request, and the state of each run.

    `must_ask` is False for steps that only assemble text: their cells need not ask a model.
    `expected` has the US dollars that each run should cost, by the digest of its specification; it
    is recorded with new runs, so that it can be compared with what was billed.
    """

    request: RunRequest
    work: Prepared
    states: Sequence[RunState]
    must_ask: bool = True
    expected: Mapping[str, float] = field(default_factory=dict)


class Session:
    """The runs of one command that are not finished, while this process is their only writer."""

    def __init__(self, gateway: Gateway, display: Display) -> None:
        self._gateway = gateway
        self._display = display

    async def run(
        self,
        sides: Sequence[RunsOfOneTree],
        pings: PingJournal | None = None,
        until: StoppingRule | None = None,
    ) -> Summary:
        """Run the remaining cells of `sides`, and finish the runs that are then complete.

        The cells of all sides are run in one random order, so that changes over time affect all
        sides alike; time limit, number of workers and seed are those of the first side. `until`
        replaces that order by its own with looks, and a side that it calls settled is finished
        with the cells that it has. The cost of `pings` is recorded with the first run. The caller
        holds the claims of all runs.

        Raises:
            OSError: the data repo cannot be written.
            UsageError: `until` refuses the sides.
        """
        todo = [
            (number, state)
            for number, side in enumerate(sides)
            for state in side.states
            if not state.is_finished
        ]
        already = tuple(
            s.run for side in sides for s in side.states if s.run is not None and s.is_finished
        )
        first = sides[0].request
        async with AsyncExitStack() as stack:
            arms = [
                (number, await stack.enter_async_context(_arm(sides[number], state)))
                for number, state in todo
            ]
            if arms and pings is not None:
                _record_pings(arms[0][1], pings)
            jobs = [
                (number, Job(arm=arm, plan=plan, repeat=repeat))
                for (number, arm), (_, state) in zip(arms, todo, strict=True)
                for plan, repeat in state.jobs()
            ]
            results: Mapping[int, LookResult] = {}
            self._display.begin(len(jobs))
            matrix = Matrix(
                self._gateway, self._display, seconds=first.seconds, workers=first.workers,
                seed=first.seed,
            )  # fmt: skip
            try:
                if until is None:
                    await matrix.run([job for _, job in jobs])
                else:
                    results = await _in_looks(sides, arms, jobs, matrix, until)
            except asyncio.CancelledError:
                for _, arm in arms:
                    arm.writer.event("interrupted")
                raise
            finally:
                self._display.end()
            kinds: defaultdict[str, Counter[str]] = defaultdict(Counter)
            for (number, arm), (_, begun) in zip(arms, todo, strict=True):
                run = arm.writer.run
                state = replace(begun, run=run)
                finish(arm, state.jobs(), results.get(number))
                if not run.finished and not matrix.tally.budget:
                    kinds[arm.specification.model.name] += state.open_kinds()
        ledger = self._gateway.ledger
        return Summary(
            tally=matrix.tally,
            runs=tuple(arm.writer.run for _, arm in arms),
            finished_before=already,
            spent=ledger.spent,
            cap_reached=ledger.reason,
            open_cells=self._open_cells(kinds, [state for _, state in todo]),
        )

    def _open_cells(
        self, kinds: Mapping[str, Counter[str]], states: Sequence[RunState]
    ) -> OpenCells:
        models = {s.specification.model.name: s.specification.model for s in states}
        reasons = {name: self._gateway.availability.closed(models[name]) for name in kinds}
        closed = {name: why.message for name, why in reasons.items() if why is not None}
        return OpenCells(kinds=kinds, closed=closed)


async def _in_looks(
    sides: Sequence[RunsOfOneTree],
    arms: Sequence[tuple[int, Arm]],
    jobs: Sequence[tuple[int, Job]],
    matrix: Matrix,
    until: StoppingRule,
) -> Mapping[int, LookResult]:
    """Run the cells group by group until every side is settled; return the result for each side.

    A side that is compared with nothing continues as long as any other does. Looks depend on the
    records alone, so those of earlier sessions have the same results.
    """
    paths: list[list[Path]] = [
        [s.run.path for s in side.states if s.run is not None and s.is_finished] for side in sides
    ]
    for number, arm in arms:
        paths[number].append(arm.writer.run.path)
    until.begin(paths)
    cells = {
        (plan, state.specification.model.name, repeat)
        for side in sides
        for state in side.states
        for plan, repeat in state.cells()
    }
    results: Mapping[int, LookResult] = {}
    is_whole, keys = True, set[CellKey]()
    for number, group in enumerate(until.groups(cells), start=1):
        current = set(group)
        keys |= current
        settled = {side for side, result in results.items() if result.settled}
        await matrix.run([j for side, j in jobs if side not in settled and j.cell in current])
        if matrix.tally.budget:
            return {}
        is_whole = is_whole and not (matrix.tally.dropped or _has_open(arms, keys))
        if not is_whole:
            # Other models go on; the looks follow when the open cells have ended.
            continue
        # In a thread, because it takes seconds in which models' answers must not wait.
        results = await asyncio.to_thread(_look, until, number, paths, [arm for _, arm in arms])
        if all(result.settled for result in results.values()):
            break
    if not is_whole:
        return {}
    # A side without a result is the one the others are compared with: its rest is not needed.
    last = next(iter(results.values()))
    return {n: results.get(n, replace(last, settled=True)) for n in range(len(sides))}


def _has_open(arms: Sequence[tuple[int, Arm]], cells: Collection[CellKey]) -> bool:
    """Whether one of the cells has failed and is to be tried again."""
    return any(
        is_open(row)
        for _, arm in arms
        if not arm.accepts
        for (plan, repeat), row in arm.writer.run.rows().items()
        if (plan, arm.specification.model.name, repeat) in cells
    )


def _look(
    until: StoppingRule, number: int, paths: Sequence[Sequence[Path]], arms: Sequence[Arm]
) -> Mapping[int, LookResult]:
    return until.look(number, paths, {arm.writer.run.path: sent_so_far(arm) for arm in arms})


@asynccontextmanager
async def _arm(side: RunsOfOneTree, state: RunState) -> AsyncIterator[Arm]:
    specification, output = state.specification, side.request.output
    if state.run is None:
        meta = specification.meta(optimizer=side.work.optimizer, workers=side.request.workers)
        writer = record.begin(
            output, specification.step.name, specification.digest,
            meta
            | {"split": side.request.split, "cache": side.request.cache is not None}
            # Older records, and those of the user's own checkout, say nothing.
            | ({"sandbox": side.work.sandbox} if side.work.sandbox else {}),
        )  # fmt: skip
        if (dollars := side.expected.get(specification.digest)) is not None:
            writer.event(ESTIMATED, dollars=dollars)
    else:
        writer = record.reopen(state.run)
        writer.event("resumed", **({"sandbox": side.work.sandbox} if side.work.sandbox else {}))
    path = writer.run.path
    with contextlib.closing(writer), Appender(path / RESERVATIONS) as reservations:
        ended = replace(state, run=writer.run).ended()
        journal = FileJournal(path / ATTEMPTS, finished=ended)
        try:
            yield Arm(
                specification=specification, writer=writer, journal=journal,
                server=side.work.server,
                over_http=side.work.host.uses_gateway_url, must_ask=side.must_ask,
                accepts=state.accepts,
                log=reservations.append,
                cache=side.request.cache,
                scratch=output.scratch / writer.run.meta["run_id"],
            )  # fmt: skip
        finally:
            await journal.close()


def _record_pings(arm: Arm, pings: PingJournal) -> None:
    """Move the pings into a run's reservations, where later sessions count them."""
    for row in pings.rows():
        if arm.log is not None:
            arm.log(row)
    pings.forget()


@contextlib.contextmanager
def claimed(request: RunRequest, specifications: Sequence[RunSpecification]) -> Any:
    """Hold the claims of all runs of a command, always taken in the same order."""
    with contextlib.ExitStack() as stack:
        for digest in sorted({s.digest for s in specifications}):
            stack.enter_context(claim(request.output, digest[:32]))
        yield


def ledger_for(request: RunRequest, states: Sequence[RunState]) -> Ledger:
    """Return the ledger of a command: its caps apply to all sessions of the same runs together.

    Raises:
        ConfigError: a cap in dollars was set and a model has no price.
    """
    refuse_unpriced(request.caps, [m for s in states for m in s.specification.models])
    spent = ping_journal(request.output, [s.specification for s in states]).spent()
    for state in states:
        spent += state.spent()
    return Ledger(request.caps, spent=spent)
