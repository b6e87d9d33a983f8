"""Runs and measures the cells of a search with the step's own task in forked cells."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import overload

from model_gateway.config import Model
from model_gateway.gateway import Gateway
from prompt_lab.baselines import Baselines
from prompt_lab.record import Run
from rubrics.rubric import Rubric
from self_improve.host.candidate import Candidate
from self_improve.measures.catalogue import catalogue
from self_improve.measures.fitness import fitness
from self_improve.measures.measured import MeasuredCell
from self_improve.measures.measurer import Measurer
from self_improve.measures.metric import PairMetric
from self_improve.measures.open_cell import OpenCell, measurements, open_cell
from self_improve.records import run_reading
from self_improve.records.cell_reading import CellReading, Refusal
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.runs.run_state import RunState, state_of
from self_improve.runs.session import RunsOfOneTree, Session, claimed
from self_improve.runs.specification import RunSpecification
from self_improve.search.search import Cell
from self_improve.search.trial import Case, CellOutcome, Flaw, SearchOver, Texts

_FLAWS_A_METRIC = 3
_LONGEST_PLAN = 6000

RunKey = tuple[str, str, int]
"""A proposal's id, a model and a repeat, which identify one run of a search."""


@dataclass(frozen=True, kw_only=True)
class _Group:
    specification: RunSpecification
    cases: tuple[Case, ...]


class HostCells:
    """Runs the cells of a search with the proposals' texts set in forked cells.

    `request.output` is a folder of the search's own, so that its runs do not fill history.
    """

    def __init__(
        self,
        gateway: Gateway,
        work: Prepared,
        request: RunRequest,
        rubric: Rubric,
        display: Display,
        *,
        baseline: Texts,
        baselines: Baselines,
    ) -> None:
        self._gateway = gateway
        self._work = work
        self._request = request
        self._rubric = rubric
        self._display = display
        self._baseline = baseline
        self._measurer = Measurer(rubric, baselines=baselines)
        self._models: Mapping[str, Model] = {m.name: m for m in request.models}

    async def __call__(self, cells: Sequence[Cell]) -> list[CellOutcome]:
        """Run and measure cells; the outcomes come in their order.

        Raises:
            SearchOver: the budget is used up.
            CellsOpen: a model gets no further call; the same command goes on later.
            OSError: the data repo cannot be written.
        """
        groups = self._groups(cells)
        specifications = [group.specification for group in groups.values()]
        with claimed(self._request, specifications):
            states = [self._state(one) for one in specifications]
            runs = RunsOfOneTree(request=self._request, work=self._work, states=states)
            summary = await Session(self._gateway, self._display).run([runs])
        if summary.stopped is not None:
            raise SearchOver(summary.stopped)
        if summary.open_cells.closed:
            # Without this model the search would go on to compare prompts on failures.
            summary.open_cells.refuse()
        outcomes: dict[tuple[str, str], CellOutcome] = {}
        for (proposal, _, _), group in groups.items():
            run = self._state(group.specification).run
            if run is not None:
                for case, outcome in self._outcomes(run, group.cases):
                    outcomes[proposal, case.id] = outcome
        return [
            outcomes.get((p.id, c.id)) or CellOutcome(case=c, score=None, failure="it was not run")
            for p, c in cells
        ]

    def _state(self, specification: RunSpecification) -> RunState:
        return state_of(specification, self._request.output, new=False)

    def _groups(self, cells: Sequence[Cell]) -> dict[RunKey, _Group]:
        texts = {p.id: self._changed(p.texts) for p, _ in cells}
        cases: dict[RunKey, list[Case]] = {}
        for proposal, case in cells:
            cases.setdefault((proposal.id, case.model, case.repeat), []).append(case)
        return {
            key: _Group(
                specification=self._specification(texts[key[0]], key, of_run), cases=tuple(of_run)
            )
            for key, of_run in cases.items()
        }

    def _changed(self, texts: Texts) -> dict[str, str]:
        return {s: text for s, text in texts.items() if text != self._baseline[s]}

    def _specification(
        self, texts: Mapping[str, str], key: RunKey, cases: Sequence[Case]
    ) -> RunSpecification:
        _, model, repeat = key
        like = self._work.specifications[0]
        return replace(
            like,
            candidate=Candidate(texts=texts),
            models=(self._models[model],),
            seed=like.seed + repeat,
            repeats=1,
            inputs={case.plan: like.inputs[case.plan] for case in cases},
        )

    def _outcomes(self, run: Run, cases: Sequence[Case]) -> Iterator[tuple[Case, CellOutcome]]:
        measured = {cell.plan: cell for cell in self._measurer.run(run.path).cells}
        readings = {cell.plan: cell for cell in run_reading.read(run.path, self._rubric).cells}
        rows = run.rows()
        for case in cases:
            cell = measured.get(case.plan)
            if cell is None:
                continue
            error = rows.get((case.plan, 0), {}).get("error")
            yield case, outcome_of(case, cell, readings[case.plan], self._rubric, error=error)


def outcome_of(
    case: Case,
    cell: MeasuredCell,
    read: CellReading,
    rubric: Rubric,
    *,
    error: str | None = None,
) -> CellOutcome:
    """Return an outcome with the spans behind its numbers, as far as they can be shown.

    `error` is the record's error of a cell that failed.
    """
    score = fitness(cell, rubric)
    if score is None:
        failure = str(error or cell.failure_kind or "no items").splitlines()[0]
        return CellOutcome(case=case, score=None, failure=failure)
    try:
        content = open_cell(read)
    except Refusal as refusal:
        return CellOutcome(case=case, score=None, failure=refusal.kind)
    return CellOutcome(
        case=case, score=score, flaws=LazyFlaws(content, cell, rubric),
        plan=content.content.input[:_LONGEST_PLAN], output=list(content.content.clean),
    )  # fmt: skip


class LazyFlaws(Sequence[Flaw]):
    """The flaws of a cell, computed on first use: most cells of a search are never shown."""

    def __init__(self, content: OpenCell, cell: MeasuredCell, rubric: Rubric) -> None:
        self._content = content
        self._cell = cell
        self._rubric = rubric

    @cached_property
    def _all(self) -> tuple[Flaw, ...]:
        # A metric that compares with the baseline plan has no spans.
        uses = [
            use
            for use in self._rubric.metrics
            if use.weight
            and use.id in self._cell.values
            and not isinstance(catalogue()[use.metric], PairMetric)
        ]
        return tuple(
            Flaw(metric=use.metric, field=span.where, quote=span.text[span.start : span.end])
            for use, _, value in measurements(uses, [self._content])
            for span in islice(value.spans(), _FLAWS_A_METRIC)
        )

    @overload
    def __getitem__(self, index: int) -> Flaw: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Flaw, ...]: ...
    def __getitem__(self, index: int | slice) -> Flaw | tuple[Flaw, ...]:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._all == tuple(other)

    def __hash__(self) -> int:
        return hash(self._all)
