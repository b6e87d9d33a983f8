"""One search on one landscape, and its result."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from model_gateway import entry_files
from model_gateway.foreign_files import read_text
from model_gateway.gateway import Gateway
from rubrics import load
from self_improve.benchmark.experiments.direct_cells import DirectCells, DirectStep
from self_improve.benchmark.experiments.landscapes import STEP, SURFACE, Landscape
from self_improve.benchmark.experiments.metered_search import MeteredCounsel
from self_improve.benchmark.experiments.oracle import Oracle
from self_improve.benchmark.experiments.random_search import RandomSearch
from self_improve.errors import UsageError
from self_improve.generators import catalogue
from self_improve.host import contract
from self_improve.search.search import Search, SearchRequest, SearchResult, best_of
from self_improve.search.trial import CellOutcome, Generator, Proposal, Scored

PROPOSER, JUDGE = "sim-proposer", "sim-judge"


@dataclass(frozen=True, kw_only=True)
class Point:
    """The calls of a search (`asked`: proposer calls) when its best on all train cases rose."""

    cells: int
    asked: int
    score: float


@dataclass(frozen=True, kw_only=True)
class Result:
    """One search. Scores are means of a cell's fitness, 0 to 1; seconds are wall time.

    `asked` counts proposer calls. `by_model` is the winner's gain on the verify plans, model by
    model. `overshoot` are the step calls beyond the budget. `own_seconds` is the time of neither
    step, nor measuring, nor proposer.
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
        host = contract.load(contract.EMBEDDED)
        self.step = DirectStep(host, STEP, plans)
        self.prompt = self.step.texts[SURFACE]
        self.material = tuple(read_text(folder / str(host.plan_text)) for folder in plans.values())
        models = entry_files.load()
        self.proposer, self.judge = models.find(PROPOSER), models.find(JUDGE)
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
        """Let a generator search a landscape; `folder` keeps the proposer's replies.

        With `keep` it keeps the outcomes of cells as well, so that a killed search resumes. This
        process kills itself after `die_at` cells.
        """
        began = time.monotonic()
        texts = {**self.step.texts, SURFACE: landscape.start}
        async with Gateway() as gateway:
            direct = DirectCells(
                gateway, self.step, self.rubric, landscape.models, seed=landscape.seed
            )
            meter = MeteredCounsel(
                gateway, folder, direct, seed=landscape.seed, keep=keep, die_at=die_at
            )
            request = SearchRequest(
                step=STEP, texts=texts, searched=(SURFACE,), cases=landscape.cases, cells=budget,
                seed=landscape.seed, proposer=self.proposer, judge=self.judge,
                instructions=f"Goal: {self.rubric.why}",
                constraints=tuple(one.text for one in self.rubric.constraints),
                material=self.material, force=True,
            )  # fmt: skip
            search = Search(request=request, measure=meter.measure, counsel=meter)
            async with meter:
                result = await search.run(self._generator(name))
            searched = time.monotonic() - began
            gains = await self._held_out(direct, search.baseline, result, landscape)
        return _result(name, landscape, budget, result, meter, gains, searched)

    def _generator(self, name: str) -> Generator:
        if name == Oracle.name:
            return Oracle(self.prompt)
        return RandomSearch() if name == RandomSearch.name else catalogue.make(name)

    async def _held_out(
        self, direct: DirectCells, baseline: Proposal, result: SearchResult, landscape: Landscape
    ) -> dict[str, float]:
        """Return the winner's gain on the verify plans by model."""
        best = best_of(result, landscape.cases)
        if best is None:
            return {}
        gains: dict[str, float] = {}
        for model in landscape.models:
            cases = [case for case in landscape.held_out if case.model == model.name]
            key = (landscape.number, model.name)
            if key not in self._before:
                self._before[key] = _mean(await direct([(baseline, case) for case in cases]))
            after = _mean(await direct([(best.proposal, case) for case in cases]))
            gains[model.name] = after - self._before[key]
        return gains


def _mean(outcomes: Sequence[CellOutcome]) -> float:
    """Return the mean score; a failed cell counts 0, as in a search."""
    return sum(one.score or 0.0 for one in outcomes) / len(outcomes)


def _result(
    name: str,
    landscape: Landscape,
    budget: int,
    search: SearchResult,
    meter: MeteredCounsel,
    gains: Mapping[str, float],
    seconds: float,
) -> Result:
    best: Scored | None = best_of(search, landscape.cases)
    base = search.trace[0][1] if search.trace else 0.0
    score = best.on(landscape.cases) if best is not None else None
    winner = best.proposal if best is not None else None
    curve = [
        Point(cells=cells, asked=_proposer_calls_at(meter, cells), score=score)
        for cells, score in search.trace
    ]
    return Result(
        generator=name, landscape=landscape.number, budget=budget, cells=search.cells,
        asked=search.proposer_calls, candidates=len(search.scored) - 1, refused=search.refused,
        stopped=search.stopped, base=base, curve=tuple(_rising(curve)),
        train_gain=(score or base) - base,
        verify_gain=sum(gains.values()) / len(gains) if gains else None, by_model=dict(gains),
        overshoot=max(0, meter.cells - budget), seconds=round(seconds, 3),
        own_seconds=round(max(0.0, seconds - meter.seconds), 3),
        winner=winner.id if winner else "", winner_size=winner.size if winner else 0,
        base_size=search.scored[0].proposal.size,
    )  # fmt: skip


def _proposer_calls_at(meter: MeteredCounsel, cells: int) -> int:
    return next((asked for spent, asked in meter.spent if spent >= cells), meter.asked)


def _rising(curve: Sequence[Point]) -> list[Point]:
    """Return the points at which the best score rose."""
    rising: list[Point] = []
    for point in curve:
        if not rising or point.score > rising[-1].score:
            rising.append(point)
    return rising
