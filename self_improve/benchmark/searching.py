"""One search on one landscape, and what is measured of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from model_gateway import config
from model_gateway.call import Call, R, Reply
from model_gateway.config import Model
from model_gateway.gateway import Gateway
from model_gateway.jsonl import Appender, read_rows
from rubrics import load
from self_improve import host
from self_improve.benchmark.direct import DirectCells, DirectStep
from self_improve.benchmark.landscapes import STEP, SURFACE, Landscape
from self_improve.benchmark.oracle import Oracle
from self_improve.benchmark.random_search import RandomSearch
from self_improve.counsel import Counsel
from self_improve.errors import UsageError
from self_improve.generators import catalogue
from self_improve.generators.search import Cell, Found, Search, Setting, best_of
from self_improve.generators.trial import Case, Flaw, Generator, Outcome, Proposal, Scored

PROPOSER, JUDGE = "sim-proposer", "sim-judge"
CELLS = "cells.jsonl"


@dataclass(frozen=True, kw_only=True)
class Point:
    """What a search had spent when its best on all train cases was `score`."""

    cells: int
    asked: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """One search. Scores are means of a cell's fitness, 0 to 1; seconds are wall time.

    `by_model` is the winner's gain on the verify plans, model by model. `overshoot` are the step
    calls beyond the budget. `own_seconds` is what neither step, nor measuring, nor proposer took.
    """

    generator: str
    landscape: int
    budget: int
    cells: int
    asked: int
    candidates: int
    refused: int
    stopped: str
    base: float
    curve: tuple[Point, ...]
    train_gain: float
    verify_gain: float | None
    by_model: Mapping[str, float] = field(default_factory=dict)
    overshoot: int
    seconds: float
    own_seconds: float
    winner: str
    winner_size: int
    base_size: int

    def to_row(self) -> dict[str, Any]:
        """Return the result as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """Read a result from plain JSON values."""
        return cls(**{**row, "curve": tuple(Point(**point) for point in row["curve"])})


class Bench:
    """The step with its plans and rubric, loaded once in a process."""

    def __init__(self, plans: Mapping[str, Path]) -> None:
        rubric = load.find(STEP)
        if rubric is None:
            raise UsageError(f"There is no rubric for {STEP}.")
        self.rubric = rubric
        self.step = DirectStep(host.load(host.EMBEDDED), STEP, plans)
        self.prompt = self.step.texts[SURFACE]
        self.material = tuple(
            (folder / "001-2-plan.txt").read_text(encoding="utf-8") for folder in plans.values()
        )
        found = config.load()
        self.proposer, self.judge = found.find(PROPOSER), found.find(JUDGE)
        self._before: dict[tuple[int, str], float] = {}

    async def search(
        self,
        name: str,
        landscape: Landscape,
        folder: Path,
        *,
        budget: int,
        keep: bool = False,
        die_at: int | None = None,
    ) -> Result:
        """Let a generator search a landscape; `folder` keeps what the proposer said.

        With `keep` it keeps the outcomes of cells as well, and a search that was killed goes on
        from there. `die_at` kills this very process when so many cells have been run.
        """
        began = time.monotonic()
        texts = {**self.step.texts, SURFACE: landscape.start}
        async with Gateway() as gateway:
            direct = DirectCells(
                gateway, self.step, self.rubric, landscape.models, seed=landscape.seed
            )
            watched = _Watched(
                gateway, folder, direct, seed=landscape.seed, keep=keep, die_at=die_at
            )
            setting = Setting(
                step=STEP, texts=texts, searched=(SURFACE,), cases=landscape.cases, cells=budget,
                seed=landscape.seed, proposer=self.proposer, judge=self.judge,
                instructions=f"Goal: {self.rubric.why}",
                constraints=tuple(one.text for one in self.rubric.constraints),
                material=self.material, force=True,
            )  # fmt: skip
            search = Search(setting=setting, measure=watched.measure, counsel=watched)
            async with watched:
                found = await search.run(self._made(name))
            searched = time.monotonic() - began
            gains = await self._held_out(direct, search.baseline, found, landscape)
        return _result(name, landscape, budget, found, watched, gains, searched)

    def _made(self, name: str) -> Generator:
        if name == Oracle.name:
            return Oracle(self.prompt)
        return RandomSearch() if name == RandomSearch.name else catalogue.make(name)

    async def _held_out(
        self, direct: DirectCells, baseline: Proposal, found: Found, landscape: Landscape
    ) -> dict[str, float]:
        """Return the winner's gain on the verify plans by model."""
        best = best_of(found, landscape.cases)
        if best is None:
            return {}
        gains: dict[str, float] = {}
        for model in landscape.models:
            cases = [case for case in landscape.held_out if case.model == model.name]
            place = (landscape.number, model.name)
            if place not in self._before:
                self._before[place] = _mean(await direct([(baseline, case) for case in cases]))
            after = _mean(await direct([(best.proposal, case) for case in cases]))
            gains[model.name] = after - self._before[place]
        return gains


class _Watched(Counsel):
    """Stands between a search and what it costs: counts, keeps the outcomes, and may die."""

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
        self._known = {(row["proposal"], row["case"]): row for row in rows}
        self._kept = Appender(folder / CELLS) if keep else None
        self.asked = self.cells = 0
        self.spent: list[tuple[int, int]] = []
        self.seconds = self._since = 0.0
        self._under_way = 0

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count the time in which at least one step or proposer call is under way."""
        if not self._under_way:
            self._since = time.monotonic()
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self.seconds += time.monotonic() - self._since

    async def measure(self, cells: Sequence[Cell]) -> list[Outcome]:
        """Run cells, or take their outcomes from an earlier life of the same search."""
        with self._counted():
            return await self._measured(cells)

    async def _measured(self, cells: Sequence[Cell]) -> list[Outcome]:
        new = [cell for cell in cells if self._key(cell) not in self._known]
        if self._die_at is not None and len(self._known) + len(new) >= self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        ran = dict(zip(map(self._key, new), await self._direct(new), strict=True))
        if self._kept is not None:
            for cell in new:
                row = _row(cell, ran[self._key(cell)])
                self._known[self._key(cell)] = row
                self._kept.append(row)
        self.cells += len(cells)
        self.spent.append((self.cells, self.asked))
        return [
            ran.get(self._key(cell)) or _outcome(self._known[self._key(cell)], cell[1])
            for cell in cells
        ]

    async def ask(self, role: str, model: Model, call: Call[R], *, repeat: int = 0) -> Reply[R]:
        """Put a call to the proposer, and count it."""
        self.asked += 1
        with self._counted():
            return await super().ask(role, model, call, repeat=repeat)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await super().__aexit__(kind, error, trace)
        if self._kept is not None:
            self._kept.close()

    @staticmethod
    def _key(cell: Cell) -> tuple[str, str]:
        return cell[0].id, cell[1].id


def _row(cell: Cell, outcome: Outcome) -> dict[str, Any]:
    proposal, case = cell
    return {
        "proposal": proposal.id, "case": case.id, "score": outcome.score,
        "failure": outcome.failure, "flaws": [asdict(flaw) for flaw in outcome.flaws],
        "plan": outcome.plan, "output": outcome.output,
    }  # fmt: skip


def _outcome(row: Mapping[str, Any], case: Case) -> Outcome:
    return Outcome(
        case=case, score=row["score"], failure=row["failure"],
        flaws=tuple(Flaw(**flaw) for flaw in row["flaws"]), plan=row["plan"], output=row["output"],
    )  # fmt: skip


def _mean(outcomes: Sequence[Outcome]) -> float:
    """Return the mean score; a failed cell counts 0, as in a search."""
    return sum(one.score or 0.0 for one in outcomes) / len(outcomes)


def _result(
    name: str,
    landscape: Landscape,
    budget: int,
    found: Found,
    watched: _Watched,
    gains: Mapping[str, float],
    seconds: float,
) -> Result:
    best: Scored | None = best_of(found, landscape.cases)
    base = found.trace[0][1] if found.trace else 0.0
    score = best.on(landscape.cases) if best is not None else None
    winner = best.proposal if best is not None else None
    curve = [
        Point(cells=cells, asked=_asked(watched, cells), score=score)
        for cells, score in found.trace
    ]
    return Result(
        generator=name, landscape=landscape.number, budget=budget, cells=found.cells,
        asked=found.asked, candidates=len(found.scored) - 1, refused=found.refused,
        stopped=found.stopped, base=base, curve=tuple(_rising(curve)),
        train_gain=(score or base) - base,
        verify_gain=sum(gains.values()) / len(gains) if gains else None, by_model=dict(gains),
        overshoot=max(0, watched.cells - budget), seconds=round(seconds, 3),
        own_seconds=round(max(0.0, seconds - watched.seconds), 3),
        winner=winner.id if winner else "", winner_size=winner.size if winner else 0,
        base_size=found.scored[0].proposal.size,
    )  # fmt: skip


def _asked(watched: _Watched, cells: int) -> int:
    return next((asked for spent, asked in watched.spent if spent >= cells), watched.asked)


def _rising(curve: Sequence[Point]) -> list[Point]:
    """Return the points at which the best score rose."""
    kept: list[Point] = []
    for point in curve:
        if not kept or point.score > kept[-1].score:
            kept.append(point)
    return kept
