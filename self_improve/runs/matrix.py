"""Runs many cells: side by side within each model's limits, in random order, killable."""

from __future__ import annotations

import asyncio
import errno
import random
import secrets
import time
from collections import defaultdict, deque
from collections.abc import Sequence
from typing import Any

from model_gateway.call import Failure, FailureKind
from model_gateway.errors import PlumblineError
from model_gateway.exchange import Caller
from model_gateway.exits import RESUME
from model_gateway.gateway import Gateway
from self_improve.cells import cell
from self_improve.cells.account import Account
from self_improve.cells.fork_server import ForkServer
from self_improve.cells.scratch import Scratch
from self_improve.cells.strange_files import TooMuchError
from self_improve.errors import ImproveError
from self_improve.host.plans import PlanInputs
from self_improve.runs.cell_outcome import TRIES, killer, outcome
from self_improve.runs.jobs import Job, Tally, Watcher

_TRACE = "trace.txt"
_OF_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO}
_SECONDS_TO_DIE = 30.0


class Matrix:
    """Runs jobs. `seconds` is the time limit of a cell, without waiting for a model's turn."""

    def __init__(
        self, gateway: Gateway, watcher: Watcher, *, seconds: float, workers: int, seed: int
    ) -> None:
        self._gateway = gateway
        self._watcher = watcher
        self._seconds = seconds
        self._slots = asyncio.Semaphore(workers)
        self._random = random.Random(seed)  # noqa: S311 - an order, not a secret
        self._at_cap = False
        self.tally = Tally()

    async def run(self, jobs: Sequence[Job]) -> Tally:
        """Run all jobs. Local models take turns; when a cap is reached, the rest is dropped.

        Raises:
            OSError: the data repo cannot be written any more.
            ImproveError: a zygote ended.
        """
        shuffled = list(jobs)
        self._random.shuffle(shuffled)
        queues: defaultdict[str, deque[Job]] = defaultdict(deque)
        for job in shuffled:
            queues[job.arm.specification.model.name].append(job)
        local = [q for q in queues.values() if q[0].arm.specification.model.local]
        remote = [q for q in queues.values() if not q[0].arm.specification.model.local]
        async with asyncio.TaskGroup() as group:
            for queue in remote:
                group.create_task(self._model(queue))
            group.create_task(self._one_after_another(local))
        return self.tally

    async def _one_after_another(self, queues: Sequence[deque[Job]]) -> None:
        for queue in queues:
            await self._model(queue)

    async def _model(self, queue: deque[Job]) -> None:
        side_by_side = min(queue[0].arm.specification.model.workers, len(queue))
        async with asyncio.TaskGroup() as group:
            for _ in range(side_by_side):
                group.create_task(self._work_off(queue))

    async def _work_off(self, queue: deque[Job]) -> None:
        while queue:
            job = queue.popleft()
            async with self._slots:
                if self._at_cap or self._is_stopped(job):
                    self._drop(job, "budget")
                elif (closed := self._closed(job)) is not None:
                    self._leave(job, closed)
                else:
                    await self._cell(job)

    def _is_stopped(self, job: Job) -> bool:
        """Whether a model of the cell gets no further call, because its server bills too much."""
        models = job.arm.specification.models
        return any(model.name in self._gateway.ledger.stopped for model in models)

    def _closed(self, job: Job) -> Failure | None:
        """Return why no model of the cell gets a further call, or None."""
        models = job.arm.specification.models
        failures = [self._gateway.availability.closed(model) for model in models]
        return failures[0] if all(failures) else None

    def _leave(self, job: Job, closed: Failure) -> None:
        """Leave a cell open that could only fail, or record that it did if that is accepted."""
        if not job.arm.accepts:
            self.tally.dropped += 1
            self._watcher.dropped(job, closed.kind)
            return
        scratch = _scratch(job)
        scratch.kept.mkdir(parents=True, exist_ok=True)
        row = _row(job, Account(), seconds=0.0, error=str(closed), kind=closed.kind)
        self._record(job, scratch, row, None)
        scratch.remove()

    def _drop(self, job: Job, reason: str) -> None:
        self.tally.dropped += 1
        self.tally.budget = True
        self._watcher.dropped(job, reason)

    async def _cell(self, job: Job) -> None:
        """Run one cell, again if something outside kills it, and record how it ended."""
        for tries_left in range(TRIES - 1, -1, -1):
            if await self._try_cell(job, last=not tries_left):
                return
            job.arm.writer.event("cell_killed", plan_name=job.plan, repeat=job.repeat)

    async def _try_cell(self, job: Job, *, last: bool) -> bool:
        """Run one cell; record how it ended, unless it was killed and is to be run again.

        A step that asks for more while it runs starts again with it; its calls are replayed.
        """
        inputs: PlanInputs | None = job.arm.specification.inputs[job.plan]
        is_recorded = False
        while inputs is not None:
            is_recorded, inputs = await self._try_with(job, inputs, last=last)
        return is_recorded

    async def _try_with(
        self, job: Job, inputs: PlanInputs, *, last: bool
    ) -> tuple[bool, PlanInputs | None]:
        """Run a cell once; return whether that was recorded, or else what it asks for."""
        scratch = _scratch(job)
        placed = scratch.prepare(inputs)
        account = Account(
            changed=lambda a, replayed: self._watcher.attempted(job, a, replayed=replayed)
        )
        self._watcher.started(job)
        job.arm.writer.event("run_single_plan_start", plan_name=job.plan, repeat=job.repeat)
        began = time.monotonic()
        status = await self._run_process(job, scratch, account)
        seconds = time.monotonic() - began
        if killer(scratch, status) and not last and not account.budget_reached:
            return False, None
        more = _late(job, inputs, scratch, status)
        if more is not None:
            return False, more
        error, kind, trace = outcome(
            scratch, account, status=status, limit=self._seconds, must_ask=job.arm.must_ask
        )
        if account.budget_reached:
            # The cells of other models continue where only this one's server was stopped.
            self._at_cap = self._at_cap or not self._is_stopped(job)
            job.arm.writer.event("budget_reached", plan_name=job.plan, repeat=job.repeat)
            self._drop(job, "budget")
            scratch.remove()
            return True, None
        digests: dict[str, str] = {}
        try:
            digests = scratch.collect(inputs, account.attempts, placed)
        except TooMuchError as too_much:
            error = error or str(too_much)
        except Exception as problem:
            # What one cell leaves behind must not stop the others; a full disk would.
            if isinstance(problem, PlumblineError) or getattr(problem, "errno", None) in _OF_DISK:
                raise
            scratch.kept.mkdir(exist_ok=True)
            cause = f"{type(problem).__name__}: {problem}"
            error = error or f"what the step left cannot be taken over: {cause}"
        row = _row(job, account, seconds=seconds, error=error, kind=kind) | {"outputs": digests}
        if inputs.late:
            row["late_inputs"] = inputs.late_digests
        self._record(job, scratch, row, trace)
        scratch.remove()
        return True, None

    def _record(self, job: Job, scratch: Scratch, row: dict[str, Any], trace: str | None) -> None:
        writer = job.arm.writer
        facts = {"plan_name": job.plan, "duration_seconds": row["duration_seconds"]}
        if job.repeat:
            facts["repeat"] = job.repeat
        if row["error"] is None:
            writer.keep(job.key, scratch.kept, row)
            writer.event("run_single_plan_complete", **facts)
            self.tally.ok += 1
        else:
            if trace:
                (scratch.kept / _TRACE).write_text(
                    scratch.without_paths(trace), encoding="utf-8", errors="backslashreplace"
                )
            writer.fail(job.key, scratch.kept, row)
            writer.event("run_single_plan_error", **facts, error=row["error"])
            self.tally.failed += 1
        if row["error"] is None and row["partial"]:
            writer.event(
                "partial_recovery", plan_name=job.plan,
                calls_succeeded=row["calls_succeeded"], expected_calls=row["calls"],
            )  # fmt: skip
        self.tally.rows.append(row)
        self._watcher.ended(job, row)

    async def _run_process(self, job: Job, scratch: Scratch, account: Account) -> int | None:
        """Fork the cell, with its own door; return its status, None if it took too long."""
        specification = job.arm.specification
        caller = Caller(
            cell=job.plan, plan=job.plan, repeat=job.repeat,
            seed=specification.cell_seed(job.plan, job.repeat), models=specification.models,
            journal=job.arm.journal, observer=account, log=job.arm.log, cache=job.arm.cache,
        )  # fmt: skip
        server = job.arm.server
        door = await self._gateway.open(caller, listens=server.room is None)
        address, http = str(door.path), None
        try:
            if server.room is not None:
                address = server.doors.offer(lambda passed: self._gateway.adopt(door, passed))
            if job.arm.over_http:
                http = await self._gateway.open_http(caller, server.listener)
            request = cell.CellRequest(
                id=f"{job.arm.scratch.name}/{job.plan}.{job.repeat}",
                step=specification.step.name, route=specification.step.route,
                model=specification.model.name, speed=specification.speed, seed=caller.seed,
                folder=str(scratch.folder), door=address,
                url=http.url if http is not None else "",
                texts=dict(specification.candidate.texts),
            )  # fmt: skip
            return await self._within_time(server, request, account)
        finally:
            server.doors.withdraw(address)
            await self._gateway.close(door)
            if http is not None:
                await self._gateway.close(http)

    async def _within_time(
        self, server: ForkServer, request: cell.CellRequest, account: Account
    ) -> int | None:
        running = asyncio.ensure_future(server.run(request))
        began = time.monotonic()
        killed = False
        try:
            while not running.done():
                left = self._seconds + account.queued - (time.monotonic() - began)
                if left <= 0 and not killed:
                    killed = True
                    server.kill(request.id)
                await asyncio.wait({running}, timeout=left if not killed else _SECONDS_TO_DIE)
                if killed and not running.done():
                    raise ImproveError(
                        f"A cell was not killed within {_SECONDS_TO_DIE:g} s of its time limit: "
                        f"its zygote does not answer. {RESUME}"
                    )
        finally:
            running.cancel()
        try:
            status = running.result()
        except ImproveError as error:
            raise ImproveError(f"{error}. {RESUME}") from error
        return None if killed else status


def _late(job: Job, inputs: PlanInputs, scratch: Scratch, status: int | None) -> PlanInputs | None:
    """Return the inputs with those that the step has asked for while it ran, if they are stored."""
    result = scratch.result() if status not in {None, cell.FINISHED} else None
    if result is None or not result.asked_names:
        return None
    return inputs.with_late(result.asked_names, job.arm.specification.step)


def _row(
    job: Job, account: Account, *, seconds: float, error: str | None, kind: FailureKind | None
) -> dict[str, Any]:
    """Return the row of a cell that has ended, without its outputs."""
    return {
        "name": job.plan,
        "status": "ok" if error is None else "error",
        "duration_seconds": round(seconds, 2),
        "error": error,
        **account.row(),
        "repeat": job.repeat,
        "seed": job.arm.specification.cell_seed(job.plan, job.repeat),
        "failure_kind": kind,
        "outputs": {},
    }


def _scratch(job: Job) -> Scratch:
    folder, room = job.arm.scratch / f"{job.plan}.{job.repeat}", job.arm.server.room
    if room is None:
        return Scratch(folder=folder, kept=folder / "kept")
    # Nobody can know the name beforehand and put something there.
    return Scratch(folder=room / secrets.token_hex(8), kept=folder, in_room=True)
