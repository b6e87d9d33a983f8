"""Settling an iteration's candidates: those of a person, or what is proposed and still untried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from self_improve.errors import BudgetReached, UsageError
from self_improve.host import candidate
from self_improve.iteration import rejected
from self_improve.iteration.branches import BASELINE
from self_improve.iteration.context import Ground
from self_improve.iteration.drafts import Draft, NothingProposed, of_texts
from self_improve.iteration.folder import Facts
from self_improve.iteration.proposing import from_synthesis
from self_improve.iteration.proposing.from_search import proposed
from self_improve.runs.experiment import Experiment


async def propose(ground: Ground) -> Facts:
    """Return the drafts of an iteration, as its marker holds them.

    Raises:
        UsageError: a candidate was rejected before, or none can be made.
        BudgetReached: with more room there may be some.
    """
    wish = ground.wish
    if wish.branch is not None or wish.pull_request is not None:
        name = f"pr-{wish.pull_request}" if wish.branch is None else wish.branch
        commit = ground.branching.commit_of(wish.branch) if wish.branch is not None else None
        draft = Draft(
            id=f"{wish.step}-{name}", step=wish.step, origin="human", branch=wish.branch,
            pull_request=wish.pull_request, commit=commit, rationale=wish.rationale,
            expectations=wish.expectations,
        )  # fmt: skip
        return {"drafts": [draft.to_row()]}
    async with ground.experiment({BASELINE: ground.base_side()}) as trial:
        work = trial.works[BASELINE]
        base = rejected.base_of(rejected.texts_of(work.pipeline, wish.step))
        if not wish.prompts:
            wanted = from_synthesis.needed(wish)
            return {
                "base_texts": base, **await _proposed(ground, trial, base), "directions": wanted,
            }  # fmt: skip
        texts = candidate.from_files(wish.prompts, work.specifications[0].step, work.pipeline)
    draft = of_texts(
        wish.step, texts.texts, origin="human", rationale=wish.rationale,
        expectations=wish.expectations,
    )  # fmt: skip
    _refuse_known(ground, draft, base)
    return {"drafts": [_named(ground, draft).to_row()], "base_texts": base}


async def _proposed(ground: Ground, trial: Experiment, base: str) -> Facts:
    try:
        drafts = await proposed(
            ground.wish, ground.place, trial.works[BASELINE], trial.wanted[BASELINE],
            ground.rubric, gateway=ground.gateway, counsel=ground.counsel, display=ground.display,
        )  # fmt: skip
        drafts = _untried(ground, drafts, base)
    except NothingProposed as nothing:
        if ground.gateway.ledger.reached is not None:
            # With more room there may be something.
            raise BudgetReached(ground.gateway.ledger.reached) from nothing
        return {"drafts": [], "nothing": str(nothing)}
    return {"drafts": [_named(ground, draft).to_row() for draft in drafts]}


def _named(ground: Ground, draft: Draft) -> Draft:
    """Return a draft as it is on this base; in a loop it may stand on an earlier one."""
    told, below = draft.rationale, (ground.wish.loop or {}).get("stands_on")
    if below:
        told = f"{told}\n\nIt stands on {below}: merging it brings that change, too.".strip()
    # The same texts may have been tried on another base, under their own name.
    return replace(draft, id=f"{draft.id}-{ground.base[:8]}", rationale=told)


def _refuse_known(ground: Ground, draft: Draft, base: str) -> None:
    """Refuse what was rejected before on the same base."""
    known = rejected.texts(ground.layout, ground.wish.step, base)
    earlier = known.get(rejected.key(draft.texts))
    if earlier is not None:
        raise UsageError(
            f"{draft.id} was rejected before, by {earlier}. See scores/failed_attempts.jsonl for "
            "the reasons, and change the text."
        )


def _untried(ground: Ground, drafts: Sequence[Draft], base: str) -> list[Draft]:
    """Leave out what was rejected before on the same base.

    Raises:
        NothingProposed: all of it was.
    """
    known = rejected.texts(ground.layout, ground.wish.step, base)
    fresh = [draft for draft in drafts if rejected.key(draft.texts) not in known]
    if not fresh:
        raise NothingProposed("All that was proposed was rejected before.")
    return fresh
