"""Random search, the control that every algorithm must beat: blind edits of the baseline.

Source: Bergstra and Bengio 2012, Random Search for Hyper-Parameter Optimization.
Defaults: 1 to 4 single edits (those of operators.py) of the baseline, each result scored on all
cases; no score influences later edits.
"""

from __future__ import annotations

from self_improve.generators.operators import ALL
from self_improve.search import proposer_calls
from self_improve.search.trial import Proposal, Trial

MOST_EDITS = 4
_TRIES = 40


class RandomSearch:
    """Edits blindly."""

    name = "random"

    async def search(self, trial: Trial) -> None:
        """Edit and score until the budget is used up."""
        [base] = await trial.score([trial.baseline], trial.cases)
        examples = proposer_calls.demonstrations(base.outcomes.values())
        while True:
            proposal = _propose(trial, examples)
            if proposal is None:
                trial.note("no edit is left that was not tried")
                return
            await trial.score([proposal], trial.cases)


def _propose(trial: Trial, examples: list[str]) -> Proposal | None:
    for _ in range(_TRIES):
        surface = trial.random.choice(list(trial.searched))
        text = trial.baseline.texts[surface]
        shown, changes = [], []
        for _ in range(trial.random.randint(1, MOST_EDITS)):
            example = trial.random.choice(examples) if examples else ""
            edited = trial.random.choice(ALL)(text, trial.random, example)
            if edited is not None:
                text, change = edited
                shown.append(example)
                changes.append(change)
        proposal = trial.admit(
            {surface: text}, operator="random", parents=[trial.baseline],
            change="; ".join(changes)[:300], demonstrations=shown,
        )  # fmt: skip
        if proposal is not None:
            return proposal
    return None
