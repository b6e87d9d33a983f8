"""The candidates of an iteration: those of a person, or those proposed and not yet rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model_gateway.errors import BudgetReached
from model_gateway.keys import HIDDEN
from self_improve.code.worktree import leaf_of
from self_improve.errors import UsageError
from self_improve.host import candidate
from self_improve.iteration import rejected
from self_improve.iteration.branches import BASELINE, Branches
from self_improve.iteration.context import IterationContext
from self_improve.iteration.drafts import Draft, NothingProposed, of_texts
from self_improve.iteration.folder import Facts
from self_improve.iteration.proposing import from_synthesis
from self_improve.iteration.proposing.from_search import proposed, texts_of
from self_improve.iteration.request import IterationRequest
from self_improve.runs.experiment import Experiment, experiment
from self_improve.runs.preparation import Prepared


async def propose(context: IterationContext) -> Facts:
    """Return the drafts of an iteration, as its marker holds them.

    Raises:
        UsageError: a candidate was rejected before, or there cannot be one.
        BudgetReached: a cap was reached before there was a candidate.
    """
    request = context.request
    if request.branch is not None or request.pull_request is not None:
        name = f"pr-{request.pull_request}" if request.branch is None else request.branch
        commit = context.branches.commit_of(request.branch) if request.branch is not None else None
        # The names of files contain the id, and the name of a branch may hold slashes.
        name = leaf_of(name) if "/" in name else name
        draft = Draft(
            id=f"{request.step}-{name}", step=request.step, origin="human", branch=request.branch,
            pull_request=request.pull_request, commit=commit, rationale=request.rationale,
            expectations=request.expectations,
        )  # fmt: skip
        return {"drafts": [draft.to_row()]}
    async with context.experiment({BASELINE: context.base_side()}) as cells:
        work = cells.works[BASELINE]
        base = rejected.base_of(rejected.texts_of(work.pipeline, request.step))
        if not request.prompts:
            directions = from_synthesis.code_directions(request)
            drafts = await _proposed(context, cells, base)
            return {"base_texts": base, **drafts, "directions": directions}
        draft = draft_of_files(request, work)
    require_untried(request, draft, base)
    return {"drafts": [_on_base(context, draft).to_row()], "base_texts": base}


async def require_candidates(request: IterationRequest, branches: Branches, base: str) -> None:
    """Check that there can be candidates, before an iteration gets a number.

    Raises:
        UsageError, ForgeError, ConfigError, AnalysisError: there cannot be one.
        LeakError: its commits hold a key.
    """
    if request.from_synthesis:
        from_synthesis.latest(request.layout, request.step)
        from_synthesis.code_directions(request)
    if request.branch is not None:
        commit = branches.commit_of(request.branch)
        branches.require_change(f"{request.step}-{request.branch}", commit, base)
    if request.pull_request is not None:
        name = f"{request.step}-pr-{request.pull_request}"
        pull = Draft(id=name, step=request.step, origin="human", pull_request=request.pull_request)
        branches.of_pull(pull, base)
    tree = branches.tree(branches.baseline(base), base)
    async with experiment({BASELINE: request.run_request(tree.code, number=-1)}) as cells:
        work = cells.works[BASELINE]
        if request.prompts:
            base_texts = rejected.base_of(rejected.texts_of(work.pipeline, request.step))
            require_untried(request, draft_of_files(request, work), base_texts)
        elif request.candidates or request.from_synthesis:
            texts_of(work, request.step)


def draft_of_files(request: IterationRequest, work: Prepared) -> Draft:
    """Return the draft of the files that a person has named.

    Raises:
        UsageError: a file or a surface is wrong, or the text could not be sent.
    """
    texts = candidate.from_files(request.prompts, work.step, work.pipeline)
    return of_texts(
        request.step, texts.texts, origin="human", rationale=request.rationale,
        expectations=request.expectations,
    )  # fmt: skip


async def _proposed(context: IterationContext, cells: Experiment, base: str) -> Facts:
    try:
        drafts = await proposed(context, cells.works[BASELINE], cells.requests[BASELINE])
        drafts = _untried(context, _without_hidden_keys(drafts), base)
    except NothingProposed as nothing:
        if context.gateway.ledger.reached is not None:
            # A higher cap may lead to a candidate.
            raise BudgetReached(context.gateway.ledger.reached) from nothing
        return {"drafts": [], "nothing": str(nothing)}
    return {"drafts": [_on_base(context, draft).to_row() for draft in drafts]}


def _without_hidden_keys(drafts: Sequence[Draft]) -> list[Draft]:
    """Return the drafts in whose texts no key was hidden: what is left is not what was proposed.

    Raises:
        NothingProposed: there is none.
    """
    whole = [draft for draft in drafts if not any(HIDDEN in t for t in draft.texts.values())]
    if not whole:
        raise NothingProposed("A key was taken out of all proposed texts, so none of them is used.")
    return whole


def _on_base(context: IterationContext, draft: Draft) -> Draft:
    """Return a draft as it is on this base; in a loop it may stand on an earlier candidate."""
    rationale, below = draft.rationale, (context.request.loop or {}).get("stands_on")
    if below:
        note = f"It stands on {below}: merging it brings that change, too."
        rationale = f"{rationale}\n\n{note}".strip()
    # The same texts may have been tried on another base, with an id of their own.
    return replace(draft, id=f"{draft.id}-{context.base[:8]}", rationale=rationale)


def require_untried(request: IterationRequest, draft: Draft, base: str) -> None:
    """Refuse a draft that was rejected before on the same base.

    Raises:
        UsageError: it was.
    """
    rejections = rejected.texts(request.layout, request.step, base)
    earlier = rejections.get(rejected.key(draft.texts))
    if earlier is not None:
        raise UsageError(
            f"{draft.id} was rejected before, by {earlier}. See scores/failed_attempts.jsonl for "
            "the reasons, and change the text."
        )


def _untried(context: IterationContext, drafts: Sequence[Draft], base: str) -> list[Draft]:
    """Return the drafts that were not rejected before on the same base.

    Raises:
        NothingProposed: all of them were.
    """
    rejections = rejected.texts(context.layout, context.request.step, base)
    fresh = [draft for draft in drafts if rejected.key(draft.texts) not in rejections]
    if not fresh:
        raise NothingProposed("All proposed candidates were rejected before.")
    return fresh
