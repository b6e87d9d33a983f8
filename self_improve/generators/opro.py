"""OPRO: the proposer sees the scored trajectory in ascending order and writes what comes next.

Source: Yang et al. 2023, Large Language Models as Optimizers (arXiv 2309.03409), and its code.

Defaults: 8 texts a step, at most 200 steps, the best 20 shown with integer scores from 0 to 100,
3 exemplars, scores below .3 not shown, duplicates dropped. Adapted: texts of whole prompts are
longer than the 500 characters of the source, so the bound is that of the search; the best text is
shown once more by itself; candidates are scored on a fixed sample of 6 cases, where the source
scores on a part of its training set, and the best 3 are confirmed on all. Temperatures (1 for the
optimizer, 0 for the scorer) are settings of the models' entries. --small: 10 texts a step, 30
steps.

Needs: a proposer, 8 calls a step.

Costs: 48 cells a step, then 3 proposals on all cases; it continues until the budget ends.
"""

from __future__ import annotations

from model_gateway.material import json_block
from self_improve.search import proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import affordable, confirm, ranked, sample
from self_improve.search.trial import Case, Proposal, Scored, Trial

SAMPLES, STEPS, SHOWN, EXEMPLARS, CASES, CONFIRMED = 8, 200, 20, 3, 6, 3
THRESHOLD = 0.3
_LONGEST = 600
_FRUITLESS = 5


class Opro:
    """Optimization by prompting."""

    name = "opro"

    async def search(self, trial: Trial) -> None:
        """Ask for several texts a step, score them, and show them in the next."""
        cases = sample(trial, CASES)
        pool = await trial.score([trial.baseline], cases)
        samples, steps = (10, 30) if trial.small else (SAMPLES, STEPS)
        fruitless = 0
        for step in range(1, steps + 1):
            room = affordable(trial, len(cases), CONFIRMED, samples)
            if not room or fruitless == _FRUITLESS:
                break
            proposals = await self._proposed(trial, ranked(pool, cases), cases, step, room)
            fruitless = 0 if proposals else fruitless + 1
            pool += await trial.score(proposals, cases)
        await confirm(trial, pool, cases, CONFIRMED)

    async def _proposed(
        self, trial: Trial, best: list[Scored], cases: list[Case], step: int, samples: int
    ) -> list[Proposal]:
        user = meta_prompt(trial, best, cases)
        calls = [
            proposer_calls.question(f"step_{step}/{n}", self.name, user, schema=Variant)
            for n in range(1, samples + 1)
        ]
        replies = await trial.ask_all(self.name, calls)
        variants = (reply.value for reply in replies)
        return proposer_calls.admit_all(trial, variants, [best[0].proposal], self.name)


def meta_prompt(trial: Trial, best: list[Scored], cases: list[Case]) -> str:
    """Return the trajectory: the best texts in ascending order, with exemplars.

    `best` are all that were scored on `cases`, the best first.
    """
    good = [one for one in best if (one.on(cases) or 0.0) >= THRESHOLD] or best
    trajectory = good[:SHOWN][::-1]
    rows = [(one.proposal.texts, one.on(cases)) for one in trajectory]
    examples = [trajectory[-1].outcomes[case.id] for case in cases]
    drawn = trial.random.sample(examples, min(EXEMPLARS, len(examples)))
    return "\n\n".join(
        [
            proposer_calls.aims(trial),
            json_block("exemplars", [proposer_calls.pair(one, _LONGEST) for one in drawn]),
            proposer_calls.prompt_blocks(trial, trajectory[-1].proposal),
            proposer_calls.attempts(trial, rows),
            f"The ids are: {', '.join(trial.searched)}.",
        ]
    )
