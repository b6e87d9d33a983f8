"""PromptBreeder: units of two task prompts and a mutation prompt, which evolves with them.

Source: Fernando et al. 2023, Promptbreeder: Self-Referential Self-Improvement via Prompt Evolution
(arXiv 2309.16797).

Defaults: 50 units, 25 generations. In each, all units meet in pairs; the mutated winner of a pair
overwrites the loser. Operators of the five classes (promptbreeder_operators.py) are drawn evenly;
after each, crossover and context shuffling follow with a chance of .1. Adapted: a step sends one
message where the source has two turns, so the first task prompt is the searched texts, the second
follows the longest of them, and half of the first units have none; contexts are texts that the step
wrote, quoted and declared; fitness is the mean over a fixed 3 cases instead of batches of 100; the
best 3 are confirmed on all. The first units use at most a quarter of the budget. --small: 20 units,
30 generations; the mutation prompts are short in any case.

Needs: a proposer, 1 to 2 calls a pair and generation.

Costs: 3 cells a pair; with 500 cells about 200 calls, 37 units and 7 generations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from self_improve.generators import promptbreeder_operators
from self_improve.generators.promptbreeder_operators import (
    HYPER,
    LONGEST_MUTATION,
    SECOND,
    Birth,
    Genes,
    Unit,
)
from self_improve.search import population, proposer_calls
from self_improve.search.racing import affordable, confirm, sample
from self_improve.search.trial import Case, Proposal, Trial

UNITS, GENERATIONS, CASES, CONFIRMED = 50, 25, 3, 3
CROSSOVER = SHUFFLING = 0.1
_SMALL_UNITS, _SMALL_GENERATIONS = 20, 30


class PromptBreeder:
    """Evolves prompts, and the prompts that change them."""

    name = "promptbreeder"

    async def search(self, trial: Trial) -> None:
        """Evolve generation by generation."""
        cases = sample(trial, CASES)
        most = _SMALL_UNITS if trial.small else UNITS
        more = affordable(trial, 4 * len(cases), CONFIRMED, most - 1)
        units = await self._first(trial, more, cases)
        fruitless = 0
        for number in range(1, (_SMALL_GENERATIONS if trial.small else GENERATIONS) + 1):
            pairs = affordable(trial, len(cases), CONFIRMED, len(units) // 2)
            if not pairs or fruitless == population.FRUITLESS:
                trial.note(f"generation {number} is not begun: {len(units)} units, {pairs} pairs")
                break
            _remember(trial, units, cases)
            born = await self._generation(trial, units, cases, number, pairs)
            fruitless = 0 if born else fruitless + 1
        await confirm(trial, [unit.scored for unit in units], cases, CONFIRMED)

    async def _first(self, trial: Trial, more: int, cases: Sequence[Case]) -> list[Unit]:
        """Return the baseline, and up to `more` mutations of it."""
        mutations = promptbreeder_operators.listed("mutations")
        styles = promptbreeder_operators.listed("styles")
        base = Genes(
            texts={surface: trial.baseline.texts[surface] for surface in trial.searched},
            mutation=trial.random.choice(mutations),
        )
        drawn = [(trial.random.choice(mutations), trial.random.choice(styles)) for _ in range(more)]
        targets = [population.in_turn(trial, n) for n in range(more)]
        firsts = await trial.ask_all(
            self.name,
            [
                promptbreeder_operators.first_order(
                    trial, f"initial/{n}/first", targets[n], base.text(targets[n]),
                    f"{mutation} {style}",
                )
                for n, (mutation, style) in enumerate(drawn)
            ],
        )  # fmt: skip
        with_second = range(1, more, 2)
        seconds = await trial.ask_all(
            self.name,
            [
                promptbreeder_operators.zero_order(
                    trial, f"initial/{n}/second", SECOND, drawn[n][1]
                )
                for n in with_second
            ],
        )
        genes = [replace(base, mutation=mutation) for mutation, _ in drawn]
        replies = [*zip(range(more), targets, firsts, strict=True)]
        replies += [(n, SECOND, reply) for n, reply in zip(with_second, seconds, strict=True)]
        for n, target, reply in replies:
            if reply.value is not None:
                genes[n] = genes[n].changed(target, reply.value.text)
        proposals = [one.admit(trial, "initial", [trial.baseline]) for one in genes]
        return await _scored(trial, [base, *genes], [trial.baseline, *proposals], cases)

    async def _generation(
        self, trial: Trial, units: list[Unit], cases: Sequence[Case], number: int, pairs: int
    ) -> int:
        """Let pairs meet, and return how many losers were overwritten."""
        order = trial.random.sample(range(len(units)), len(units))
        births = []
        for left, right in zip(order[: 2 * pairs : 2], order[1 : 2 * pairs : 2], strict=True):
            if units[left].fitness(cases) >= units[right].fitness(cases):
                births.append(promptbreeder_operators.birth(trial, units, units[left], right))
            else:
                births.append(promptbreeder_operators.birth(trial, units, units[right], left))
        births = await self._hypermutated(trial, births, number)
        calls = [
            promptbreeder_operators.question(trial, units, one, cases, f"generation_{number}/{n}")
            for n, one in enumerate(births)
        ]
        replies = await trial.ask_all(self.name, calls)
        children: list[tuple[int, Genes, Proposal | None]] = []
        for one, reply in zip(births, replies, strict=True):
            if reply.value is None:
                continue
            genes = replace(one.winner.genes, mutation=one.mutation)
            genes = genes.changed(one.target, reply.value.text)
            operator = one.operator
            if trial.random.random() < CROSSOVER:
                genes = promptbreeder_operators.crossed(trial, genes, units, cases)
                operator += ", crossover"
            if trial.random.random() < SHUFFLING:
                genes = promptbreeder_operators.shuffled(trial, genes, one.winner)
                operator += ", context shuffling"
            parents = [one.winner.scored.proposal]
            proposal = genes.admit(trial, operator, parents, reply.value.change)
            children.append((one.loser, genes, proposal))
        losers = [loser for loser, _, proposal in children if proposal is not None]
        born = await _scored(trial, [g for _, g, _ in children], [p for *_, p in children], cases)
        for loser, unit in zip(losers, born, strict=True):
            units[loser] = unit
        return len(born)

    async def _hypermutated(self, trial: Trial, births: list[Birth], number: int) -> list[Birth]:
        """Return the births, with new mutation prompts for those of a hypermutation."""
        indices = [index for index, one in enumerate(births) if one.operator in HYPER]
        calls = [
            promptbreeder_operators.hyper(
                trial, births[index], f"generation_{number}/{index}/hyper"
            )
            for index in indices
        ]
        mutated = list(births)
        for index, reply in zip(indices, await trial.ask_all(self.name, calls), strict=True):
            mutation = reply.value.mutation.strip() if reply.value is not None else ""
            if 0 < len(mutation) <= LONGEST_MUTATION:
                mutated[index] = replace(births[index], mutation=mutation)
            else:
                trial.note(f"a mutation prompt of {len(mutation)} characters is not used")
        return mutated


async def _scored(
    trial: Trial,
    genes: Sequence[Genes],
    proposals: Sequence[Proposal | None],
    cases: Sequence[Case],
) -> list[Unit]:
    """Return the units of the admitted proposals, scored concurrently."""
    pairs = [(g, p) for g, p in zip(genes, proposals, strict=True) if p is not None]
    scored = await trial.score([proposal for _, proposal in pairs], cases)
    return [Unit(genes=g, scored=one) for (g, _), one in zip(pairs, scored, strict=True)]


def _remember(trial: Trial, units: list[Unit], cases: Sequence[Case]) -> None:
    """Append the best unit at present to its own lineage, in place."""
    best = max(range(len(units)), key=lambda n: units[n].fitness(cases))
    genes = units[best].genes
    text = genes.texts[proposer_calls.main_surface(trial)]
    if text not in genes.lineage:
        units[best] = replace(units[best], genes=replace(genes, lineage=(*genes.lineage, text)))
