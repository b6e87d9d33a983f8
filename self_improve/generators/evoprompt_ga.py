"""EvoPrompt GA: parents by roulette, one call crosses and mutates, the best of all survive.

Source: Guo et al. 2024, Connecting Large Language Models with Evolutionary Algorithms Yields
Powerful Prompt Optimizers (arXiv 2309.08532), algorithm 2, and its code.

Defaults: a population of 10, 10 generations, as many children as members, survivors from parents
and children together (temperature .5 is a setting of the proposer's entry). Adapted: the population
begins with the baseline and its paraphrases; members are scored on a fixed sample of 3 cases, and
the best 3 are confirmed on all. --small: a population of 20, 30 generations.

Needs: a proposer, 10 calls a generation.

Costs: at most 109 calls and 330 cells, then 3 proposals on all cases.
"""

from __future__ import annotations

from pydantic import Field

from self_improve.search import population, proposer_calls
from self_improve.search.proposer_calls import Variant
from self_improve.search.racing import affordable, confirm, ranked, sample
from self_improve.search.trial import Proposal, Scored, Trial

MEMBERS, GENERATIONS, CASES, CONFIRMED = 10, 10, 3, 3


class Child(Variant):
    """The child of two texts."""

    crossed: str = Field(default="", description="The text before the mutation.")


class EvoPromptGa:
    """A genetic algorithm whose operators are one call."""

    name = "evoprompt-ga"

    async def search(self, trial: Trial) -> None:
        """Evolve generation by generation."""
        members, generations = (20, 30) if trial.small else (MEMBERS, GENERATIONS)
        cases = sample(trial, CASES)
        alive = await population.initial(trial, members, cases, confirmations=CONFIRMED)
        fruitless = 0
        for generation in range(1, generations + 1):
            room = affordable(trial, len(cases), CONFIRMED, members)
            if not room or fruitless == population.FRUITLESS:
                break
            surface = population.in_turn(trial, generation - 1)
            couples = [
                (
                    population.roulette(trial, alive, cases),
                    population.roulette(trial, alive, cases),
                )
                for _ in range(room)
            ]
            children = await self._children(trial, couples, surface, generation)
            fruitless = 0 if children else fruitless + 1
            alive = ranked([*alive, *await trial.score(children, cases)], cases)[:members]
        await confirm(trial, alive, cases, CONFIRMED)

    async def _children(
        self, trial: Trial, couples: list[tuple[Scored, Scored]], surface: str, generation: int
    ) -> list[Proposal]:
        calls = [
            proposer_calls.question(
                f"generation_{generation}/{n}",
                "evoprompt_ga",
                proposer_calls.aims(trial),
                *(
                    proposer_calls.prompt_block(surface, one.proposal.texts[surface])
                    for one in couple
                ),
                schema=Child,
            )
            for n, couple in enumerate(couples, start=1)
        ]
        replies = await trial.ask_all(self.name, calls)
        children = [
            trial.admit(
                {surface: reply.value.text}, operator="crossover and mutation",
                parents=[one.proposal for one in couple], change=reply.value.change,
            )
            for reply, couple in zip(replies, couples, strict=True)
            if reply.value is not None
        ]  # fmt: skip
        return [one for one in children if one is not None]
