"""Candidates that nobody wrote: from a generator's search, or from the latest synthesis."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from model_gateway.counts import counted
from model_gateway.foreign_files import read_bytes
from model_gateway.jsonl import Appender
from prompt_lab import patterns
from prompt_lab.baselines import Baselines
from prompt_lab.layout import Layout
from self_improve.errors import UsageError
from self_improve.generators import catalogue
from self_improve.host.plans import PlanInputs
from self_improve.iteration import rejected
from self_improve.iteration.context import IterationContext
from self_improve.iteration.drafts import Draft, NothingProposed, of_texts
from self_improve.iteration.proposing.from_synthesis import text_drafts
from self_improve.iteration.request import IterationRequest
from self_improve.runs.preparation import Prepared, RunRequest
from self_improve.search.host_cells import HostCells
from self_improve.search.search import Search, SearchRequest, SearchResult
from self_improve.search.trial import Case, Proposal, Scored

CELLS_A_CANDIDATE = 60
"""The step calls, in cells, that a search may spend for each candidate that is asked for."""
SEARCHES = "searches"
"""The scratch directory in which searches keep their runs."""
_MOST_PLANS = 5
_LONGEST_CHANGE = 600


async def proposed(
    context: IterationContext, work: Prepared, run_request: RunRequest
) -> list[Draft]:
    """Return candidates from the step's latest synthesis, or from a generator's search.

    Raises:
        NothingProposed: there is no candidate; the message says why.
        UsageError: there cannot be one, because the step has no text or no synthesis.
    """
    request, folder = context.request, context.folder
    texts, searched = texts_of(work, request.step)

    async def experience() -> dict[str, Any]:
        offered = patterns.offered(request.layout, request.step, simulated=request.simulated)
        failed = rejected.rows(request.layout, request.step, rejected.base_of(texts))
        return {"failed": failed, "patterns": patterns.material(offered)}

    # Recorded, because other iterations may end meanwhile and a resumed search must ask the same.
    recorded = await folder.phase("experience", experience)
    search = _search(context, work, run_request, texts, searched, recorded)
    if request.from_synthesis:
        return await text_drafts(request, search)
    result = await search.run(catalogue.make(request.generator))
    drafts = _winners(request, result, search)
    refused = f"; {counted(result.refused, 'proposal')} refused" if result.refused else ""
    if not drafts:
        raise NothingProposed(
            f"{request.generator} found nothing better than the baseline in "
            f"{counted(result.cells, 'cell')} ({result.stopped}){refused}. The log is in "
            f"{folder.relative(folder.path / 'search.jsonl')}."
        )
    return drafts


def texts_of(work: Prepared, step: str) -> tuple[dict[str, str], list[str]]:
    """Return the texts that the step sends, and the ids of those that a search may change.

    These are its prompt constants; a text that is assembled at import cannot be set in a cell.

    Raises:
        UsageError: a search could change none.
    """
    surfaces = [work.pipeline.surfaces[s] for s in work.pipeline.steps[step].surfaces]
    constants = [s for s in surfaces if "." not in s.id.partition(":")[2]]
    searched = [s.id for s in constants if not s.assembled_into]
    if not searched:
        raise UsageError(f"{step} has no prompt constant that a search could change.")
    return rejected.texts_of(work.pipeline, step), searched


def _search(
    context: IterationContext,
    work: Prepared,
    run_request: RunRequest,
    texts: Mapping[str, str],
    searched: Sequence[str],
    experience: Mapping[str, Any],
) -> Search:
    """Return a search on the host, whose log is in the iteration's folder."""
    request, layout = context.request, context.layout
    inputs = work.specifications[0].inputs
    plans = list(inputs)[:_MOST_PLANS]
    output = Layout(layout.scratch / SEARCHES / context.folder.id)
    measure = HostCells(
        context.gateway, work, replace(run_request, output=output, new=False), context.rubric,
        context.display, baseline=texts, baselines=Baselines((layout.split("train"),)),
    )  # fmt: skip
    cases = tuple(Case(plan=p, model=m.name) for p in plans for m in request.run.models)
    module = work.pipeline.steps[request.step].task.partition(":")[0]
    source = (run_request.code or Path()).joinpath(*module.split(".")).with_suffix(".py")
    setting = SearchRequest(
        step=request.step,
        texts=texts,
        searched=searched,
        cases=cases,
        cells=max(1, request.candidates) * CELLS_A_CANDIDATE + len(cases),
        seed=request.run.seed,
        proposer=request.proposer,
        judge=request.judge,
        instructions=_instructions(source, work.host.instructions),
        constraints=tuple(one.text for one in context.rubric.constraints),
        failed=experience["failed"],
        patterns=experience["patterns"],
        small=request.small,
        force=request.force,
        material=[_text(inputs[plan]) for plan in plans],
        templates={s: work.pipeline.surfaces[s].templates for s in searched},
    )

    def log(row: dict[str, Any]) -> None:
        with Appender(context.folder.path / "search.jsonl") as file:
            file.append(row)

    return Search(request=setting, measure=measure, counsel=context.counsel, log=log)


def _winners(request: IterationRequest, result: SearchResult, search: Search) -> list[Draft]:
    """Return the best proposals that did better than the baseline on all cases."""
    cases = search.cases
    base = search.scored(search.baseline).on(cases)
    scores = [(one.on(cases), one) for one in result.scored if one.proposal is not search.baseline]
    better = [(s, one) for s, one in scores if s is not None and (base is None or s > base)]
    better.sort(key=lambda pair: (-pair[0], pair[1].proposal.size))
    by_id = {scored.proposal.id: scored.proposal for scored in result.scored}
    return [
        _draft(request, one, search, _changes(one.proposal, by_id))
        for _, one in better[: request.candidates]
    ]


def _changes(last: Proposal, by_id: Mapping[str, Proposal]) -> str:
    """Return the changes that led from the baseline to a proposal, the first one first."""
    changes = []
    proposal: Proposal | None = last
    while proposal is not None:
        changes.append(proposal.change.strip().rstrip("."))
        proposal = by_id.get(proposal.parents[0]) if proposal.parents else None
    return "; ".join(dict.fromkeys(filter(None, reversed(changes))))[:_LONGEST_CHANGE]


def _draft(request: IterationRequest, one: Scored, search: Search, change: str) -> Draft:
    base = search.baseline.texts
    texts = {s: text for s, text in one.proposal.texts.items() if text != base[s]}
    return of_texts(
        request.step, texts, origin="generator", change=change,
        rationale=request.rationale or f"{request.generator}: {change}",
        expectations=request.expectations, parent=next(iter(one.proposal.parents), None),
        pattern=one.proposal.pattern,
    )  # fmt: skip


def _instructions(source: Path, constant: str) -> str:
    """Return a step's own instructions for optimizers, which are never sent to a model."""
    if not source.is_file():
        return ""
    for node in ast.parse(read_bytes(source)).body:
        names = [t.id for t in getattr(node, "targets", []) if isinstance(t, ast.Name)]
        if isinstance(node, ast.Assign) and names == [constant]:
            return str(node.value.value) if isinstance(node.value, ast.Constant) else ""
    return ""


def _text(inputs: PlanInputs) -> str:
    """Return the texts among a plan's inputs, whose words a proposal must not copy."""
    paths = [p for p in inputs.files.values() if p.suffix in {".txt", ".md"}]
    return "\n".join(read_bytes(path).decode("utf-8", "replace") for path in paths)
