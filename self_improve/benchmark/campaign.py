"""Runs all searches of a benchmark concurrently in processes, and stores each when it is done."""

from __future__ import annotations

import asyncio
import atexit
import importlib.resources
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model_gateway import temporary
from model_gateway.jsonl import Appender, read_rows
from prompt_lab import unzip
from self_improve.benchmark import provenance
from self_improve.benchmark.experiments import landscapes
from self_improve.benchmark.experiments.landscapes import Landscape
from self_improve.benchmark.experiments.resume_check import Resumed, resume
from self_improve.benchmark.experiments.searches import Bench, Result
from self_improve.benchmark.ranking import ORACLE
from self_improve.errors import ImproveError, UsageError
from self_improve.generators import catalogue

MOST_CELLS = 500
_SEARCH, _RESUME = "search", "resume"
RESULTS = "results.jsonl"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The searches of a benchmark. Budgets are in step calls a search."""

    generators: tuple[str, ...]
    numbers: tuple[int, ...]
    budget: int
    oracle_budget: int
    resumed: tuple[int, ...]
    resume_budget: int
    jobs: int


@dataclass(frozen=True, kw_only=True, order=True)
class Task:
    """One search, or one resume check."""

    kind: str
    generator: str
    number: int
    budget: int


def available(names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the generators to compare: those named, or all that are installed, and random search.

    Raises:
        UsageError: a named one is unknown or lacks its package.
    """
    for name in names:
        if name != "random":
            catalogue.make(name)
    if names:
        return tuple(dict.fromkeys(names))
    installed = []
    for one in catalogue.listed():
        with suppress(UsageError):
            catalogue.make(one.name)
            installed.append(one.name)
    return (*installed, "random")


def tasks(plan: Plan) -> list[Task]:
    """Return the tasks, landscape by landscape, so that an early end leaves whole ones."""
    tasks = []
    for number in plan.numbers:
        tasks.append(Task(kind=_SEARCH, generator=ORACLE, number=number, budget=plan.oracle_budget))
        tasks += [
            Task(kind=_SEARCH, generator=name, number=number, budget=plan.budget)
            for name in plan.generators
        ]
        if number in plan.resumed:
            tasks += [
                Task(kind=_RESUME, generator=name, number=number, budget=plan.resume_budget)
                for name in plan.generators
            ]
    return tasks


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> tuple[list[Result], list[Resumed]]:
    """Run the tasks of `plan` without a row of the present provenance, and return all results.

    Raises:
        OSError: the folder cannot be written.
        ImproveError: searches failed; all others were run and stored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    present = provenance.current().to_row()
    done: dict[Task, dict[str, Any]] = {
        Task(**row["task"]): row["result"]
        for row in read_rows(folder / RESULTS)[0]
        if row.get("made_with", {}).get("digest") == present["digest"]
    }
    planned = tasks(plan)
    todo = [task for task in planned if task not in done]
    failures: list[str] = []
    results = Appender(folder / RESULTS)
    # Fresh processes: texts set in the host's modules must not leak from one search to another.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(plan.jobs, mp_context=context) as pool:
            under_way: dict[Future[dict[str, Any]], Task] = {
                pool.submit(run_task, task): task for task in todo
            }
            for count, future in enumerate(as_completed(under_way), start=1):
                task = under_way[future]
                try:
                    done[task] = future.result()
                except Exception as error:  # noqa: BLE001 - a failed search ends no other
                    failures.append(f"{task.kind} {task.generator} on {task.number}: {error!r}")
                    say(failures[-1])
                    continue
                row = {"task": vars(task), "made_with": present, "result": done[task]}
                results.append(row, sync=True)
                say(f"{count}/{len(todo)} {task.kind} {task.generator} on {task.number}")
    finally:
        results.close()
    if failures:
        details = "\n  ".join(failures)
        raise ImproveError(
            f"{len(failures)} of {len(todo)} searches failed; the others are stored. Run the same "
            f"command again to repeat these:\n  {details}"
        )
    rows = [(task, done[task]) for task in planned]
    searches = [Result.from_row(row) for task, row in rows if task.kind == _SEARCH]
    resumed = [Resumed.from_row(row) for task, row in rows if task.kind == _RESUME]
    return searches, resumed


def run_task(task: Task) -> dict[str, Any]:
    """Run one search or resume check and return its row of plain JSON values."""
    bench = _bench()
    landscape = landscape_of(bench, task.number)
    with _opened("search") as folder:
        if task.kind == _RESUME:
            return resume(bench, task.generator, landscape, folder, budget=task.budget).to_row()
        search = bench.search(task.generator, landscape, folder, budget=task.budget)
        return asyncio.run(search).to_row()


def landscape_of(bench: Bench, number: int) -> Landscape:
    """Return a landscape over the bundled sample plans."""
    train, verify = (tuple(_zips(split)) for split in ("train", "verify"))
    return landscapes.draw(number, prompt=bench.prompt, train=train, verify=verify)


@cache
def _bench() -> Bench:
    # For the time of this process; what a killed one leaves is swept by the next.
    return Bench(unpacked(_KEPT.enter_context(_opened("bench"))))


_KEPT = ExitStack()
atexit.register(_KEPT.close)


def unpacked(folder: Path) -> dict[str, Path]:
    """Unzip the bundled sample plans below `folder`; return their directories by name."""
    plans = {}
    for split in ("train", "verify"):
        for name, file in _zips(split).items():
            unzip.unpack(file, folder / name, called=file.name, limits=unzip.UnzipLimits())
            plans[name] = folder / name
    return plans


def _zips(split: str) -> dict[str, Path]:
    folder = Path(str(importlib.resources.files("prompt_lab"))) / "samples" / split
    return {path.stem: path for path in sorted(folder.glob("*.zip"))}


def _opened(kind: str) -> AbstractContextManager[Path]:
    """Open a folder in memory if it can be, because searches sync many small rows."""
    memory = "/dev/shm"  # noqa: S108 - mkdtemp below it
    parent = memory if os.access(memory, os.W_OK) else tempfile.gettempdir()
    return temporary.opened_in(Path(parent), f"{temporary.PREFIX}{kind}-")
