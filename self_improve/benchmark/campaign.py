"""All searches of a benchmark, side by side in processes, each kept as soon as it is done."""

from __future__ import annotations

import asyncio
import importlib.resources
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model_gateway.jsonl import Appender, read_rows
from prompt_lab import unzip
from self_improve.benchmark import landscapes, provenance
from self_improve.benchmark.landscapes import Landscape
from self_improve.benchmark.ranking import ORACLE
from self_improve.benchmark.resume_check import Resumed, resume
from self_improve.benchmark.searches import Bench, Result
from self_improve.errors import ImproveError, UsageError
from self_improve.generators import catalogue

MOST_CELLS = 500
_SEARCH, _RESUME = "search", "resume"
RESULTS = "results.jsonl"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a benchmark runs. Budgets are in step calls a search."""

    generators: tuple[str, ...]
    numbers: tuple[int, ...]
    budget: int
    oracle_budget: int
    resumed: tuple[int, ...]
    resume_budget: int
    jobs: int


@dataclass(frozen=True, kw_only=True, order=True)
class Task:
    """One piece of the work."""

    kind: str
    generator: str
    number: int
    budget: int


def available(names: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the generators to compare: those named, or all that can be made, and random search.

    Raises:
        UsageError: one that was named is unknown or lacks its package.
    """
    for name in names:
        if name != "random":
            catalogue.make(name)
    if names:
        return tuple(dict.fromkeys(names))
    found = []
    for one in catalogue.listed():
        try:
            catalogue.make(one.name)
        except UsageError:
            continue
        found.append(one.name)
    return (*found, "random")


def tasks(plan: Plan) -> list[Task]:
    """Return the pieces, landscape by landscape, so that an early end leaves whole ones."""
    made = []
    for number in plan.numbers:
        made.append(Task(kind=_SEARCH, generator=ORACLE, number=number, budget=plan.oracle_budget))
        made += [
            Task(kind=_SEARCH, generator=name, number=number, budget=plan.budget)
            for name in plan.generators
        ]
        if number in plan.resumed:
            made += [
                Task(kind=_RESUME, generator=name, number=number, budget=plan.resume_budget)
                for name in plan.generators
            ]
    return made


def run(
    plan: Plan, folder: Path, told: Callable[[str], None]
) -> tuple[list[Result], list[Resumed]]:
    """Run what of `plan` is not in `folder` yet, made as it would be now, and return all of it.

    Raises:
        OSError: the folder cannot be written.
        ImproveError: searches broke; all others were run and kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made_with = provenance.today().to_row()
    done: dict[Task, dict[str, Any]] = {
        Task(**row["task"]): row["result"]
        for row in read_rows(folder / RESULTS)[0]
        if row.get("made_with", {}).get("digest") == made_with["digest"]
    }
    wanted = tasks(plan)
    todo = [task for task in wanted if task not in done]
    broken: list[str] = []
    kept = Appender(folder / RESULTS)
    # A fresh process: what is set in the host's modules must not leak from one to another.
    context = multiprocessing.get_context("spawn")
    try:
        with ProcessPoolExecutor(plan.jobs, mp_context=context) as pool:
            under_way: dict[Future[dict[str, Any]], Task] = {
                pool.submit(_carried_out, task): task for task in todo
            }
            for count, future in enumerate(as_completed(under_way), start=1):
                task = under_way[future]
                try:
                    done[task] = future.result()
                except Exception as error:  # noqa: BLE001 - one search that breaks ends no other
                    broken.append(f"{task.kind} {task.generator} on {task.number}: {error!r}")
                    told(broken[-1])
                    continue
                row = {"task": vars(task), "made_with": made_with, "result": done[task]}
                kept.append(row, sync=True)
                told(f"{count}/{len(todo)} {task.kind} {task.generator} on {task.number}")
    finally:
        kept.close()
    if broken:
        told_all = "\n  ".join(broken)
        raise ImproveError(
            f"{len(broken)} of {len(todo)} searches broke; all others are kept, and the same "
            f"command tries these again:\n  {told_all}"
        )
    rows = [(task, done[task]) for task in wanted]
    searches = [Result.from_row(row) for task, row in rows if task.kind == _SEARCH]
    resumed = [Resumed.from_row(row) for task, row in rows if task.kind == _RESUME]
    return searches, resumed


def _carried_out(task: Task) -> dict[str, Any]:
    bench = _bench()
    landscape = landscape_of(bench, task.number)
    with tempfile.TemporaryDirectory(prefix="plumbline-search-", dir=_memory()) as place:
        if task.kind == _RESUME:
            return resume(
                bench, task.generator, landscape, Path(place), budget=task.budget
            ).to_row()
        search = bench.search(task.generator, landscape, Path(place), budget=task.budget)
        return asyncio.run(search).to_row()


def landscape_of(bench: Bench, number: int) -> Landscape:
    """Return a landscape over the bundled sample plans."""
    train, verify = (tuple(_zips(split)) for split in ("train", "verify"))
    return landscapes.draw(number, prompt=bench.prompt, train=train, verify=verify)


@cache
def _bench() -> Bench:
    place = Path(tempfile.mkdtemp(prefix="plumbline-bench-", dir=_memory()))
    return Bench(unpacked(place))


def unpacked(place: Path) -> dict[str, Path]:
    """Unzip the bundled sample plans below `place`; return their directories by name."""
    found = {}
    for split in ("train", "verify"):
        for name, file in _zips(split).items():
            unzip.unpack(file, place / name, called=file.name, limits=unzip.UnzipLimits())
            found[name] = place / name
    return found


def _zips(split: str) -> dict[str, Path]:
    folder = Path(str(importlib.resources.files("prompt_lab"))) / "samples" / split
    return {path.stem: path for path in sorted(folder.glob("*.zip"))}


def _memory() -> str | None:
    """Return a file system in memory where there is one: searches sync many small rows."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - mkdtemp below it
