"""What a search repeats that was killed half way and begun again."""

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
from self_improve.benchmark.landscapes import Landscape
from self_improve.benchmark.metered_search import CELLS
from self_improve.benchmark.searches import Bench
from self_improve.errors import ImproveError


@dataclass(frozen=True, kw_only=True)
class Resumed:
    """One killed and resumed search beside one that was not killed.

    `repeated` counts step and proposer calls that were made twice, `more` those that the two lives
    made together beyond what the unkilled search made. `same` says that both ended alike.
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
    """Kill a search after half of its step calls with SIGKILL, let it go on, and compare.

    Raises:
        ImproveError: the search broke by itself before it could be killed.
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
        raise ImproveError(f"the search to be killed broke (exit status {child.exitcode})")
    again = asyncio.run(bench.search(name, landscape, parted, budget=budget, keep=True))
    cells, asked = _made(parted)
    cells_whole, asked_whole = _made(whole)
    twice = sum(n - 1 for n in cells.values()) + sum(n - 1 for n in asked.values())
    made = cells.total() + asked.total() - cells_whole.total() - asked_whole.total()
    return Resumed(
        generator=name, landscape=landscape.number, killed=child.exitcode == -signal.SIGKILL,
        repeated=twice - sum(n - 1 for n in asked_whole.values()), more=made,
        same=(first.winner, first.curve) == (again.winner, again.curve),
    )  # fmt: skip


def _made(folder: Path) -> tuple[Counter[tuple[str, str]], Counter[str]]:
    """Return how often each step call and each proposer call was made."""
    rows = read_rows(folder / CELLS)[0]
    cells = Counter((str(row["proposal"]), str(row["case"])) for row in rows)
    asked = Counter(attempt.request_digest for attempt in read_attempts(folder / ATTEMPTS))
    return cells, asked


def _die(
    plans: Mapping[str, Path], name: str, landscape: Landscape, folder: Path, budget: int
) -> None:
    bench = Bench(plans)
    asyncio.run(bench.search(name, landscape, folder, budget=budget, keep=True, die_at=budget // 2))
