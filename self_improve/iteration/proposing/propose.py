"""Settling an iteration's candidates: those of a person, or what is proposed and still untried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model_gateway.errors import BudgetReached
from self_improve.errors import UsageError
from self_improve.host import candidate
from self_improve.iteration import rejected
from self_improve.iteration.branches import BASELINE
from self_improve.iteration.context import IterationContext
from self_improve.iteration.drafts import Draft, NothingProposed, of_texts
from self_improve.iteration.folder import Facts
from self_improve.iteration.proposing import from_synthesis
from self_improve.iteration.proposing.from_search import proposed
from self_improve.runs.experiment import Experiment


async def propose(context: IterationContext) -> Facts:
    """Return the drafts of an iteration, as its marker holds them.

    Raises:
        UsageError: a candidate was rejected before, or none can be made.
        BudgetReached: with more room there may be some.
    """
    request = context.request
    if request.branch is not None or request.pull_request is not None:
        name = f"pr-{request.pull_request}" if request.branch is None else request.branch
        commit = context.branching.commit_of(request.branch) if request.branch is not None else None
        draft = Draft(
            id=f"{request.step}-{name}", step=request.step, origin="human", branch=request.branch,
            pull_request=request.pull_request, commit=commit, rationale=request.rationale,
            expectations=request.expectations,
        )  # fmt: skip
        return {"drafts": [draft.to_row()]}
    async with context.experiment({BASELINE: context.base_side()}) as trial:
        work = trial.works[BASELINE]
        base = rejected.base_of(rejected.texts_of(work.pipeline, request.step))
        if not request.prompts:
            wanted = from_synthesis.needed(request)
            return {
                "base_texts": base, **await _proposed(context, trial, base), "directions": wanted,
            }  # fmt: skip
        texts = candidate.from_files(request.prompts, work.specifications[0].step, work.pipeline)
    draft = of_texts(
        request.step, texts.texts, origin="human", rationale=request.rationale,
        expectations=request.expectations,
    )  # fmt: skip
    _refuse_known(context, draft, base)
    return {"drafts": [_named(context, draft).to_row()], "base_texts": base}


async def _proposed(context: IterationContext, trial: Experiment, base: str) -> Facts:
    try:
        drafts = await proposed(
            context.request, context.place, trial.works[BASELINE], trial.requests[BASELINE],
            context.rubric, gateway=context.gateway, counsel=context.counsel,
            display=context.display,
        )  # fmt: skip
        drafts = _untried(context, drafts, base)
    except NothingProposed as nothing:
        if context.gateway.ledger.reached is not None:
            # With more room there may be something.
            raise BudgetReached(context.gateway.ledger.reached) from nothing
        return {"drafts": [], "nothing": str(nothing)}
    return {"drafts": [_named(context, draft).to_row() for draft in drafts]}


def _named(context: IterationContext, draft: Draft) -> Draft:
    """Return a draft as it is on this base; in a loop it may stand on an earlier one."""
    told, below = draft.rationale, (context.request.loop or {}).get("stands_on")
    if below:
        told = f"{told}\n\nIt stands on {below}: merging it brings that change, too.".strip()
    # The same texts may have been tried on another base, under their own name.
    return replace(draft, id=f"{draft.id}-{context.base[:8]}", rationale=told)


def _refuse_known(context: IterationContext, draft: Draft, base: str) -> None:
    """Refuse what was rejected before on the same base."""
    known = rejected.texts(context.layout, context.request.step, base)
    earlier = known.get(rejected.key(draft.texts))
    if earlier is not None:
        raise UsageError(
            f"{draft.id} was rejected before, by {earlier}. See scores/failed_attempts.jsonl for "
            "the reasons, and change the text."
        )


def _untried(context: IterationContext, drafts: Sequence[Draft], base: str) -> list[Draft]:
    """Leave out what was rejected before on the same base.

    Raises:
        NothingProposed: all of it was.
    """
    known = rejected.texts(context.layout, context.request.step, base)
    fresh = [draft for draft in drafts if rejected.key(draft.texts) not in known]
    if not fresh:
        raise NothingProposed("All that was proposed was rejected before.")
    return fresh
