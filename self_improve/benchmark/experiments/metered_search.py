"""Meters a search of the benchmark: counts calls and time, keeps outcomes, kills at a point."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, overload

from model_gateway.call import Call, R, Reply
from model_gateway.config import Model
from model_gateway.counsel import Counsel
from model_gateway.gateway import Gateway
from model_gateway.jsonl import Appender, read_rows
from self_improve.benchmark.experiments.direct_cells import DirectCells
from self_improve.search.search import Cell
from self_improve.search.trial import Case, CellOutcome, Flaw

CELLS = "cells.jsonl"


class MeteredCounsel(Counsel):
    """Meters a search: counts cells, calls and time, keeps outcomes, and kills it at a point.

    `asked` counts proposer calls, `spent` holds cells and proposer calls after each batch.
    """

    def __init__(
        self,
        gateway: Gateway,
        folder: Path,
        direct: DirectCells,
        *,
        seed: int,
        keep: bool,
        die_at: int | None,
    ) -> None:
        super().__init__(gateway, folder, seed=seed)
        folder.mkdir(parents=True, exist_ok=True)
        self._direct = direct
        self._die_at = die_at
        rows = read_rows(folder / CELLS)[0] if keep else []
        self._rows = {(row["proposal"], row["case"]): row for row in rows}
        self._file = Appender(folder / CELLS) if keep else None
        self.asked = self.cells = 0
        self.spent: list[tuple[int, int]] = []
        self.seconds = self._since = 0.0
        self._under_way = 0
        self._lock = threading.Lock()

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count the time during which cells are measured or a call is under way."""
        with self._lock:
            if not self._under_way:
                self._since = time.monotonic()
            self._under_way += 1
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1
                if not self._under_way:
                    self.seconds += time.monotonic() - self._since

    async def measure(self, cells: Sequence[Cell]) -> list[CellOutcome]:
        """Run cells, or take their outcomes from an earlier, killed process of the same search."""
        with self.counted():
            outcomes = await self._run(cells)
        return [replace(one, flaws=_CountedFlaws(one.flaws, self)) for one in outcomes]

    async def _run(self, cells: Sequence[Cell]) -> list[CellOutcome]:
        new = [cell for cell in cells if self._key(cell) not in self._rows]
        if self._die_at is not None and len(self._rows) + len(new) >= self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        ran = dict(zip(map(self._key, new), await self._direct(new), strict=True))
        if self._file is not None:
            for cell in new:
                row = _row(cell, ran[self._key(cell)])
                self._rows[self._key(cell)] = row
                self._file.append(row)
        self.cells += len(cells)
        self.spent.append((self.cells, self.asked))
        return [
            ran.get(self._key(cell)) or _outcome(self._rows[self._key(cell)], cell[1])
            for cell in cells
        ]

    async def ask(self, role: str, model: Model, call: Call[R], *, repeat: int = 0) -> Reply[R]:
        """Send a call to the proposer, and count it."""
        self.asked += 1
        with self.counted():
            return await super().ask(role, model, call, repeat=repeat)

    async def __aexit__(self, *error: object) -> None:
        await super().__aexit__(*error)
        if self._file is not None:
            self._file.close()

    @staticmethod
    def _key(cell: Cell) -> tuple[str, str]:
        return cell[0].id, cell[1].id


class _CountedFlaws(Sequence[Flaw]):
    """Counts the time of flaws as measuring, because they are computed on first use."""

    def __init__(self, flaws: Sequence[Flaw], meter: MeteredCounsel) -> None:
        self._flaws = flaws
        self._meter = meter

    @overload
    def __getitem__(self, index: int) -> Flaw: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Flaw]: ...
    def __getitem__(self, index: int | slice) -> Flaw | Sequence[Flaw]:
        with self._meter.counted():
            return self._flaws[index]

    def __len__(self) -> int:
        with self._meter.counted():
            return len(self._flaws)


def _row(cell: Cell, outcome: CellOutcome) -> dict[str, Any]:
    proposal, case = cell
    return {
        "proposal": proposal.id, "case": case.id, "score": outcome.score,
        "failure": outcome.failure, "flaws": [asdict(flaw) for flaw in outcome.flaws],
        "plan": outcome.plan, "output": outcome.output,
    }  # fmt: skip


def _outcome(row: Mapping[str, Any], case: Case) -> CellOutcome:
    return CellOutcome(
        case=case, score=row["score"], failure=row["failure"],
        flaws=tuple(Flaw(**flaw) for flaw in row["flaws"]), plan=row["plan"], output=row["output"],
    )  # fmt: skip
