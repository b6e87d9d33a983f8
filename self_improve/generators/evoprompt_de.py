"""EvoPrompt DE: each slot meets a trial of two others, the best and itself; the better one stays.

Source: Guo et al. 2024 (arXiv 2309.08532), algorithm 3, and its code.

Defaults: a population of 10, 10 generations. For each slot one call goes through all four steps:
the difference of two other members, a mutation of the differing parts, their combination with the
best so far, and crossover with the slot's own prompt. Only a better trial takes the slot. Adapted:
as for the GA (evoprompt_ga.py). --small: a population of 20, 30 generations.

Needs: a proposer, 10 calls a generation.

Costs: at most 109 calls and 330 cells, then 3 proposals on all cases.
"""

from __future__ import annotations

from pydantic import Field

from self_improve.search import population, proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import confirm, has_room, ranked, sample
from self_improve.search.trial import Proposal, Scored, Trial

MEMBERS, GENERATIONS, CASES, CONFIRMED = 10, 10, 3, 3
_FEWEST = 3


class Trialled(Variant):
    """The four steps of one trial."""

    differences: str = Field(default="", description="1 to 3 sentences.")
    mutated: str = Field(default="", description="The changed parts.")
    combined: str = Field(default="", description="The text before the crossover.")


class EvoPromptDe:
    """Differential evolution on texts."""

    name = "evoprompt-de"

    async def search(self, trial: Trial) -> None:
        """Let a trial compete for each slot, generation by generation."""
        members, generations = (20, 30) if trial.small else (MEMBERS, GENERATIONS)
        cases = sample(trial, CASES)
        slots = await population.initial(trial, members, cases, confirmations=CONFIRMED)
        fruitless = 0
        if len(slots) < _FEWEST:
            trial.note(f"a population of {len(slots)} has no two others to differ")
        for generation in range(1, generations + 1):
            if len(slots) < _FEWEST or fruitless == population.FRUITLESS:
                break
            if not has_room(trial, len(slots) * len(cases), CONFIRMED):
                break
            surface = population.in_turn(trial, generation - 1)
            best = ranked(slots, cases)[0]
            trials = await self._trials(trial, slots, best, surface, generation)
            fruitless = 0 if trials else fruitless + 1
            tried = await trial.score(list(trials.values()), cases)
            for slot, scored in zip(trials, tried, strict=True):
                if (scored.on(cases) or 0.0) > (slots[slot].on(cases) or 0.0):
                    slots[slot] = scored
        await confirm(trial, slots, cases, CONFIRMED)

    async def _trials(
        self, trial: Trial, slots: list[Scored], best: Scored, surface: str, generation: int
    ) -> dict[int, Proposal]:
        """Return the trials by slot; a slot may have none."""
        donors = []
        for slot in range(len(slots)):
            others = [n for n in range(len(slots)) if n != slot]
            one, two = trial.random.sample(others, 2)
            donors.append((slots[one], slots[two], best, slots[slot]))
        calls = [
            proposer_calls.question(
                f"generation_{generation}/{slot}",
                "evoprompt_de",
                proposer_calls.aims(trial),
                *(
                    proposer_calls.prompt_block(surface, one.proposal.texts[surface])
                    for one in shown
                ),
                schema=Trialled,
            )
            for slot, shown in enumerate(donors)
        ]
        replies = await trial.ask_all(self.name, calls)
        trials = {
            slot: trial.admit(
                {surface: reply.value.text}, operator="differential",
                parents=[slots[slot].proposal, *(p.proposal for p in donors[slot][:3])],
                change=reply.value.change,
            )
            for slot, reply in enumerate(replies)
            if reply.value is not None
        }  # fmt: skip
        return {slot: one for slot, one in trials.items() if one is not None}
