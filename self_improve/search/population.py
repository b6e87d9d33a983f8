"""A population of prompts for the evolutionary algorithms: its first members, and selection."""

from __future__ import annotations

from collections.abc import Sequence

from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import affordable
from self_improve.search.trial import Case, Scored, Trial

FRUITLESS = 3
"""The number of generations without a child that ends a search."""


async def initial(
    trial: Trial, size: int, cases: Sequence[Case], *, confirmations: int
) -> list[Scored]:
    """Return the baseline and paraphrases of it, scored on `cases`, at most `size` together.

    They use at most half of the budget. A paraphrase that is refused is not replaced, so the
    population may be smaller.

    Raises:
        SearchOver: the budget is used up.
    """
    room = affordable(trial, 2 * len(cases), confirmations, size - 1)
    calls = [
        proposer_calls.question(
            f"initial/{n}",
            "paraphrase",
            proposer_calls.prompt_blocks(trial, trial.baseline),
            schema=Variant,
        )
        for n in range(1, room + 1)
    ]
    replies = await trial.ask_all("paraphrase", calls)
    variants = (reply.value for reply in replies)
    paraphrases = proposer_calls.admit_all(trial, variants, [trial.baseline], "paraphrase")
    return await trial.score([trial.baseline, *paraphrases], cases)


def roulette(trial: Trial, population: Sequence[Scored], cases: Sequence[Case]) -> Scored:
    """Return one member, drawn with a probability in proportion to its score."""
    scores = [max(one.on(cases) or 0.0, 0.0) for one in population]
    if not any(scores):
        return trial.random.choice(list(population))
    return trial.random.choices(list(population), weights=scores)[0]


def in_turn(trial: Trial, number: int) -> str:
    """Return the surface that generation `number` changes: they take turns."""
    return trial.searched[number % len(trial.searched)]
