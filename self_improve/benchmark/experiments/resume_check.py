"""Measures what a search repeats after being killed half way and resumed."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from model_gateway.counsel import ATTEMPTS
from model_gateway.journal import read_attempts
from model_gateway.jsonl import read_rows
from self_improve.benchmark.experiments.landscapes import Landscape
from self_improve.benchmark.experiments.metered_search import CELLS
from self_improve.benchmark.experiments.searches import Bench
from self_improve.errors import ImproveError


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """One killed and resumed search, compared with one that was not killed.

    `repeated` counts step and proposer calls that were made twice, `more` those that both processes
    together made beyond those of the unkilled search. `same` says that the results are equal.
    """

    generator: str
    landscape: int
    killed: bool
    repeated: int
    more: int
    same: bool

    def to_row(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read it from plain JSON values."""
        return cls(**row)


def resume(bench: Bench, name: str, landscape: Landscape, folder: Path, *, budget: int) -> Resumed:
    """Kill a search with SIGKILL after half of its step calls, resume it, and compare.

    Raises:
        ImproveError: the search failed before it could be killed.
    """
    whole, parted = folder / "whole", folder / "parted"
    first = asyncio.run(bench.search(name, landscape, whole, budget=budget, keep=True))
    # The child must die as a process does; forking this one would copy its threads' locks.
    child = multiprocessing.get_context("spawn").Process(
        target=_die, args=(dict(bench.step.plans), name, landscape, parted, budget)
    )
    child.start()
    child.join()
    if child.exitcode not in {0, -signal.SIGKILL}:
        raise ImproveError(f"the search to be killed failed (exit status {child.exitcode})")
    again = asyncio.run(bench.search(name, landscape, parted, budget=budget, keep=True))
    cells, calls = _counts(parted)
    cells_whole, calls_whole = _counts(whole)
    twice = sum(n - 1 for n in cells.values()) + sum(n - 1 for n in calls.values())
    more = cells.total() + calls.total() - cells_whole.total() - calls_whole.total()
    return Resumed(
        generator=name, landscape=landscape.number, killed=child.exitcode == -signal.SIGKILL,
        repeated=twice - sum(n - 1 for n in calls_whole.values()), more=more,
        same=(first.winner, first.curve) == (again.winner, again.curve),
    )  # fmt: skip


def _counts(folder: Path) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Return how often each step call and each proposer call was made."""
    rows = read_rows(folder / CELLS)[0]
    cells = Counter((str(row["proposal"]), str(row["case"])) for row in rows)
    calls = Counter(attempt.request_digest for attempt in read_attempts(folder / ATTEMPTS))
    return cells, calls


def _die(
    plans: Mapping[str, Path], name: str, landscape: Landscape, folder: Path, budget: int
) -> None:
    bench = Bench(plans)
    asyncio.run(bench.search(name, landscape, folder, budget=budget, keep=True, die_at=budget // 2))
