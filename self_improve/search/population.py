"""A population of prompts for the evolutionary algorithms: how it begins, and who is chosen."""

from __future__ import annotations

from collections.abc import Sequence

from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import affordable
from self_improve.search.trial import Case, Proposal, Scored, Trial

FRUITLESS = 3
"""So many generations without a child end a search."""


async def initial(
    trial: Trial, size: int, cases: Sequence[Case], *, confirmations: int
) -> list[Scored]:
    """Return the baseline and paraphrases of it, scored on `cases`, at most `size` together.

    They use at most half of the budget, and a paraphrase that is refused is not replaced, so
    that the population may be smaller.

    Raises:
        SearchOver: the budget is used up.
    """
    room = affordable(trial, 2 * len(cases), confirmations, size - 1)
    calls = [
        proposer_calls.question(
            f"initial/{n}",
            "paraphrase",
            proposer_calls.shown(trial, trial.baseline),
            schema=Variant,
        )
        for n in range(1, room + 1)
    ]
    replies = await trial.ask_all("paraphrase", calls)
    made = [
        proposer_calls.admitted(trial, reply.value, [trial.baseline], "paraphrase")
        for reply in replies
        if reply.value is not None
    ]
    members: list[Proposal] = [trial.baseline, *(one for one in made if one is not None)]
    return await trial.score(members, cases)


def roulette(trial: Trial, population: Sequence[Scored], cases: Sequence[Case]) -> Scored:
    """Return one member, with a chance in proportion to its score (fitness-proportional)."""
    scores = [max(one.on(cases) or 0.0, 0.0) for one in population]
    if not any(scores):
        return trial.random.choice(list(population))
    return trial.random.choices(list(population), weights=scores)[0]


def in_turn(trial: Trial, number: int) -> str:
    """Return the surface that generation `number` changes: they take turns."""
    return trial.searched[number % len(trial.searched)]
