"""Where an iteration's candidates come from when nobody has written one: generators, syntheses."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_gateway.counsel import Counsel
from model_gateway.gateway import Gateway
from model_gateway.jsonl import Appender
from prompt_lab import patterns
from prompt_lab.baselines import Baselines
from prompt_lab.layout import Layout
from rubrics.rubric import Rubric
from self_improve.errors import UsageError
from self_improve.generators import catalogue
from self_improve.host.plans import PlanInputs
from self_improve.iteration import rejected
from self_improve.iteration.drafts import Draft, NothingProposed, of_texts
from self_improve.iteration.folder import IterationFolder
from self_improve.iteration.proposing.from_synthesis import _from_synthesis
from self_improve.iteration.request import IterationRequest
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.runs.progress import Display
from self_improve.search.host_cells import HostCells
from self_improve.search.search import Search, SearchRequest, SearchResult
from self_improve.search.trial import Case, Proposal, Scored

INSTRUCTIONS = "OPTIMIZE_INSTRUCTIONS"


CELLS_A_CANDIDATE = 60
"""The step calls, in cells, that a search may spend for each candidate that is asked for."""
_MOST_PLANS = 5
_LONGEST_CHANGE = 600


async def proposed(
    request: IterationRequest,
    place: IterationFolder,
    work: Prepared,
    wanted: RunRequest,
    rubric: Rubric,
    *,
    gateway: Gateway,
    counsel: Counsel,
    display: Display,
) -> list[Draft]:
    """Return candidates from the step's latest synthesis, or from a generator's search.

    Raises:
        NothingProposed: nothing was; the message says why.
        UsageError: nothing can be, because the step has no text or no synthesis.
    """
    texts, searched = _texts(work, request.step)

    async def experience() -> dict[str, Any]:
        offered = patterns.offered(request.layout, request.step, simulated=request.simulated)
        failed = rejected.rows(request.layout, request.step, rejected.base_of(texts))
        return {"failed": failed, "patterns": patterns.material(offered)}

    # Kept, because others may end meanwhile: a search that goes on must ask what it asked before.
    known = await place.phase("experience", experience)
    cells = _Cells(
        work=work, wanted=wanted, place=place, rubric=rubric, texts=texts, experience=known
    )
    search = cells.search(request, searched, gateway=gateway, counsel=counsel, display=display)
    if request.from_synthesis:
        return await _from_synthesis(request, search)
    found = await search.run(catalogue.make(request.generator))
    drafts = _winners(request, found, search)
    if not drafts:
        raise NothingProposed(
            f"{request.generator} found nothing better than the baseline in {found.cells} cells "
            f"({found.stopped}); {found.refused} proposals were refused. The log is in "
            f"{place.relative(place.path / 'search.jsonl')}."
        )
    return drafts


def _texts(work: Prepared, step: str) -> tuple[dict[str, str], list[str]]:
    """Return the texts that the step sends, and the ids of those that a search may change.

    These are its prompt constants; a text that is assembled at import cannot be set in a cell.
    """
    surfaces = [work.pipeline.surfaces[s] for s in work.pipeline.steps[step].surfaces]
    texts = rejected.texts_of(work.pipeline, step)
    constants = [s.id for s in surfaces if "." not in s.id.partition(":")[2]]
    free = [s for s in constants if not work.pipeline.surfaces[s].assembled_into]
    if not free:
        raise UsageError(f"{step} has no prompt constant that a search could change.")
    return texts, free


class _Cells:
    """What a search on the host needs."""

    def __init__(
        self,
        *,
        work: Prepared,
        wanted: RunRequest,
        place: IterationFolder,
        rubric: Rubric,
        texts: dict[str, str],
        experience: Mapping[str, Any],
    ) -> None:
        self._work = work
        self._wanted = wanted
        self._place = place
        self._rubric = rubric
        self._texts = texts
        self._experience = experience

    def search(
        self,
        request: IterationRequest,
        searched: Sequence[str],
        *,
        gateway: Gateway,
        counsel: Counsel,
        display: Display,
    ) -> Search:
        """Return a search whose tries and log lie in the iteration's directory."""
        plans = list(self._work.specifications[0].inputs)[:_MOST_PLANS]
        layout = request.layout
        wanted = replace(
            self._wanted, output=Layout(layout.scratch / "searches" / self._place.id), new=False
        )
        measure = HostCells(
            gateway, self._work, wanted, self._rubric, display, baseline=self._texts,
            baselines=Baselines((layout.split("train"),)),
        )  # fmt: skip
        cases = tuple(Case(plan=p, model=m.name) for p in plans for m in request.models)
        setting = SearchRequest(
            step=request.step,
            texts=self._texts,
            searched=searched,
            cases=cases,
            cells=max(1, request.candidates) * CELLS_A_CANDIDATE + len(cases),
            seed=request.seed,
            proposer=request.proposer,
            judge=request.judge,
            instructions=_instructions(self._source(request.step)),
            constraints=tuple(one.text for one in self._rubric.constraints),
            failed=self._experience["failed"],
            patterns=self._experience["patterns"],
            small=request.small,
            force=request.force,
            material=[_read(self._work.specifications[0].inputs[plan]) for plan in plans],
        )
        path = self._place.path / "search.jsonl"

        def log(row: dict[str, Any]) -> None:
            with Appender(path) as file:
                file.append(row)

        return Search(request=setting, measure=measure, counsel=counsel, log=log)

    def _source(self, step: str) -> Path:
        module = self._work.pipeline.steps[step].task.partition(":")[0]
        return (self._wanted.code or Path()).joinpath(*module.split(".")).with_suffix(".py")


def _winners(request: IterationRequest, found: SearchResult, search: Search) -> list[Draft]:
    """Return the best proposals that did better than the baseline on all cases."""
    cases = search.cases
    base = search.scored(search.baseline).on(cases)
    whole = [(one.on(cases), one) for one in found.scored if one.proposal is not search.baseline]
    better = [(s, one) for s, one in whole if s is not None and (base is None or s > base)]
    better.sort(key=lambda pair: (-pair[0], pair[1].proposal.size))
    by_id = {scored.proposal.id: scored.proposal for scored in found.scored}
    return [
        _draft(request, one, search, _changes(one.proposal, by_id))
        for _, one in better[: request.candidates]
    ]


def _changes(last: Proposal, by_id: Mapping[str, Proposal]) -> str:
    """Return the changes that led from the baseline to a proposal, the first one first."""
    told = []
    one: Proposal | None = last
    while one is not None:
        told.append(one.change.strip().rstrip("."))
        one = by_id.get(one.parents[0]) if one.parents else None
    return "; ".join(dict.fromkeys(filter(None, reversed(told))))[:_LONGEST_CHANGE]


def _draft(request: IterationRequest, one: Scored, search: Search, change: str) -> Draft:
    base = search.baseline.texts
    texts = {s: text for s, text in one.proposal.texts.items() if text != base[s]}
    return of_texts(
        request.step, texts, origin="generator", change=change,
        rationale=request.rationale or f"{request.generator}: {change}",
        expectations=request.expectations, parent=next(iter(one.proposal.parents), None),
        pattern=one.proposal.pattern,
    )  # fmt: skip


def _instructions(source: Path) -> str:
    """Return a step's own instructions for optimizers, which are never sent to a model."""
    if not source.is_file():
        return ""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and names == [INSTRUCTIONS]:
            return str(node.value.value) if isinstance(node.value, ast.Constant) else ""
    return ""


def _read(inputs: PlanInputs) -> str:
    """Return the texts among a plan's inputs, whose words a proposal must not copy."""
    paths = [p for p in inputs.files.values() if p.suffix in {".txt", ".md"}]
    return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in paths)
