"""Settling an iteration's candidates: those of a person, or what is proposed and still untried."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from prompt_lab.scores import Scores
from self_improve import candidate
from self_improve.errors import UsageError
from self_improve.iteration.branching import BASELINE
from self_improve.iteration.drafts import Draft, of_texts
from self_improve.iteration.ground import BudgetReached, Ground
from self_improve.iteration.place import Facts
from self_improve.iteration.proposals import NothingProposed, proposed


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
        drafts = [
            Draft(
                id=f"{wish.step}-{name}", step=wish.step, origin="human", branch=wish.branch,
                pull_request=wish.pull_request, commit=commit, rationale=wish.rationale,
                expectations=wish.expectations,
            )
        ]  # fmt: skip
    elif wish.prompts:
        async with ground.experiment({BASELINE: ground.base_side()}) as trial:
            work = trial.works[BASELINE]
            texts = candidate.from_files(wish.prompts, work.specifications[0].step, work.pipeline)
        drafts = [
            of_texts(
                wish.step, texts.texts, origin="human", rationale=wish.rationale,
                expectations=wish.expectations,
            )
        ]  # fmt: skip
    else:
        return await _proposed(ground)
    _refuse_known(ground, drafts)
    return {"drafts": [draft.to_row() for draft in drafts]}


async def _proposed(ground: Ground) -> Facts:
    try:
        async with ground.experiment({BASELINE: ground.base_side()}) as trial:
            drafts = await proposed(
                ground.wish, ground.place, trial.works[BASELINE], trial.wanted[BASELINE],
                ground.rubric, gateway=ground.gateway, counsel=ground.counsel,
                display=ground.display,
            )  # fmt: skip
        drafts = _untried(ground, drafts)
    except NothingProposed as nothing:
        if ground.gateway.ledger.reached is not None:
            # With more room there may be something.
            raise BudgetReached(ground.gateway.ledger.reached) from nothing
        return {"drafts": [], "nothing": str(nothing)}
    return {"drafts": [_in_loop(ground, draft).to_row() for draft in drafts]}


def _in_loop(ground: Ground, draft: Draft) -> Draft:
    """Return a draft as an iteration of a loop has it: it may stand on an earlier one."""
    if ground.wish.loop is None:
        return draft
    told, below = draft.rationale, ground.wish.loop.get("stands_on")
    if below:
        told = f"{told}\n\nIt stands on {below}: merging it brings that change, too.".strip()
    # The same texts may have been tried on another base, under their own name.
    return replace(draft, id=f"{draft.id}-{ground.base[:8]}", rationale=told)


def _refuse_known(ground: Ground, drafts: Sequence[Draft]) -> None:
    """Refuse what was rejected before: measuring it again would be reading noise."""
    known = _rejected(ground)
    for draft in drafts:
        earlier = known.get(tuple(sorted(draft.texts.items())))
        if earlier is not None:
            raise UsageError(
                f"{draft.id} was rejected before, by {earlier}. See scores/"
                "failed_attempts.jsonl for the reasons, and change the text."
            )


def _untried(ground: Ground, drafts: Sequence[Draft]) -> list[Draft]:
    """Leave out what was rejected before.

    Raises:
        NothingProposed: all of it was.
    """
    known = _rejected(ground)
    fresh = [draft for draft in drafts if tuple(sorted(draft.texts.items())) not in known]
    if not fresh:
        raise NothingProposed("All that was proposed was rejected before.")
    return fresh


def _rejected(ground: Ground) -> dict[tuple[tuple[str, str], ...], str]:
    """Return the texts of rejected candidates, and the iteration that rejected each."""
    return {
        tuple(sorted(row["texts"].items())): row["iteration"]
        for row in Scores(ground.layout).failed(ground.wish.step)
        if isinstance(row.get("texts"), dict) and row["texts"]
    }
