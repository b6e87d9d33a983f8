"""APE: instructions induced from a step's inputs and outputs, deduplicated, scored, chosen.

Source: Zhou et al. 2023, Large Language Models Are Human-Level Prompt Engineers (arXiv 2211.01910),
and its code.

Defaults: 5 subsamples of 5 demonstrations, 50 prompts, equal ones dropped, all scored on the same
sample, the best chosen (temperature .9 is a setting of the proposer's entry). The proposer does not
see the texts of the step. Adapted: no answers are known here, so the pairs are those of the better
half of the baseline's cells; the proposer learns what the step is for, since its form is fixed;
with several searched texts the subsamples take turns at them; the scoring sample is 3 cases instead
of 50, and the best 5 are confirmed on all. A small budget makes fewer prompts. --small: 20 prompts.

Needs: a proposer for one round of calls.

Costs: 50 calls and 150 cells, then 5 proposals on all cases, however large the budget is.
"""

from __future__ import annotations

from collections.abc import Sequence

from self_improve.search import proposer_calls
from self_improve.search.population import in_turn
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import affordable, confirm, sample
from self_improve.search.trial import CellOutcome, Proposal, Trial

SUBSAMPLES, DEMONSTRATIONS, PROMPTS, CASES, CONFIRMED = 5, 5, 50, 3, 5
_SMALL_PROMPTS = 20
_LONGEST = 6000


class Ape:
    """Automatic prompt engineer."""

    name = "ape"

    async def search(self, trial: Trial) -> None:
        """Induce, score on a few cases, and confirm the best."""
        [base] = await trial.score([trial.baseline], trial.cases)
        pairs = proposer_calls.better_half(base.outcomes.values())
        if not pairs:
            trial.note("no output of the baseline is worth inducing anything from")
            return
        cases = sample(trial, CASES)
        most = _SMALL_PROMPTS if trial.small else PROMPTS
        room = affordable(trial, len(cases), CONFIRMED, most)
        if not room:
            trial.note("no room is left to score a prompt")
            return
        prompts = await self._induced(trial, pairs, room)
        await confirm(trial, await trial.score(prompts, cases), cases, CONFIRMED)

    async def _induced(
        self, trial: Trial, pairs: Sequence[CellOutcome], count: int
    ) -> list[Proposal]:
        """Return the induced prompts, each text once."""
        subsamples = [
            trial.random.sample(pairs, min(DEMONSTRATIONS, len(pairs))) for _ in range(SUBSAMPLES)
        ]
        numbered = [(n % SUBSAMPLES, n // SUBSAMPLES + 1) for n in range(count)]
        calls = [
            proposer_calls.question(
                f"subsample_{index + 1}/{n}",
                self.name,
                proposer_calls.aims(trial),
                proposer_calls.demonstration_blocks(subsamples[index], _LONGEST),
                f"The text to write has the id {in_turn(trial, index)}.",
                schema=Variant,
            )
            for index, n in numbered
        ]
        replies = await trial.ask_all(self.name, calls)
        proposals = [
            trial.admit(
                {in_turn(trial, index): reply.value.text}, operator="induction",
                parents=[trial.baseline], change=reply.value.change[:300],
            )
            for (index, _), reply in zip(numbered, replies, strict=True)
            if reply.value is not None
        ]  # fmt: skip
        return [one for one in proposals if one is not None]
